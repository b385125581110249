#pragma once

#include <memory>
#include <string>

#include "core/transformer/source.h"
#include "core/transformer/weights.h"
#include "seq2seq_kit/step_model.h"
#include "torch/tensors.h"

namespace seq2seq_kit {

/// A Transformer's options, as `native_transformer` of `seq2seq_kit.decoders` and `seq2seq_kit.encoders` give them;
/// what else there is to know the names and shapes of its weights say. An encoder has no use for some.
struct TransformerOptions {
  int64_t layers = 0;
  int64_t heads = 0, key_value_heads = 0, source_heads = 0;  // the last 0: no source
  double self_scale = 1, source_scale = 1;                   // of the scores of attention
  bool pre_norm = true;
  double norm_epsilon = 0;
  std::string activation;  // "relu", "gelu", "gelu_tanh" or "silu"
  double embedding_scale = 1, output_scale = 1;
  int64_t position_offset = 0;  // of sinusoidal positions
  int64_t alignment_layer = 0;
  std::string precision;  // "fp32", "bf16" or "int8"
};

/// Packs the weights of a decoder: float32 tensors on the CPU, by name. That of the embedding is kept as it is.
std::shared_ptr<transformer::Weights> read_transformer(const TransformerOptions& options, const NamedTensors& tensors);

/// Packs the weights of an encoder.
std::shared_ptr<transformer::EncoderWeights> read_encoder(const TransformerOptions& options,
                                                          const NamedTensors& tensors);

/// The memory of a batch, projected for a decoder.
class TransformerStep : public NativeStep {
 public:
  /// `states` [B, S', size of the memory] and `mask` [B, S'] bool; both undefined for a language model.
  TransformerStep(std::shared_ptr<const transformer::Weights> weights, const at::Tensor& states, const at::Tensor& mask,
                  bool attention_wanted);

  std::unique_ptr<StepModel> begin() const override;

 private:
  std::shared_ptr<const transformer::Weights> weights_;
  std::shared_ptr<const transformer::Source> source_;
  bool attention_wanted_;
};

}  // namespace seq2seq_kit
