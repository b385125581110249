#pragma once

#include <memory>
#include <string>

#include "core/recurrent/source.h"
#include "core/recurrent/weights.h"
#include "seq2seq_kit/step_model.h"
#include "torch/tensors.h"

namespace seq2seq_kit {

/// A recurrent decoder's options, as `seq2seq_kit.decoders.native_recurrent` gives them; what else there is to know the
/// names and shapes of its weights say.
struct RecurrentOptions {
  std::string cell;  // "rnn", "gru" or "lstm"
  int64_t layers = 0;
  double embedding_scale = 1;
  int64_t memory_size = 0;                           // 0: there is none
  std::string start_h = "zeros", start_c = "zeros";  // "zeros", "final" or "mean"
  bool attends = false;                              // to the source
  int64_t heads = 1;
  double scale = 1;  // of the scores of attention
  bool query_before = false, input_feeding = false;
  std::string precision;  // "fp32", "bf16" or "int8"
};

/// "rnn", "gru" or "lstm".
recurrent::Cell parse_cell(const std::string& name);

/// Packs the weights of a decoder: float32 tensors on the CPU, by name. That of the embedding is kept as it is.
std::shared_ptr<recurrent::Weights> read_recurrent(const RecurrentOptions& options, const NamedTensors& tensors);

/// The memory of a batch, projected for a decoder.
class RecurrentStep : public NativeStep {
 public:
  /// `states` [B, S', size of the memory] and `mask` [B, S'] bool; both undefined without a memory. `final`: the states
  /// "h" and "c" [B, layers of the encoder, size], as far as the decoder begins with them.
  RecurrentStep(std::shared_ptr<const recurrent::Weights> weights, const at::Tensor& states, const at::Tensor& mask,
                const NamedTensors& final, bool attention_wanted);

  std::unique_ptr<StepModel> begin() const override;

 private:
  std::shared_ptr<const recurrent::Weights> weights_;
  std::shared_ptr<const recurrent::Source> source_;
  bool attention_wanted_;
};

}  // namespace seq2seq_kit
