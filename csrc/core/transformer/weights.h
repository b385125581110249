// The weights of a Transformer (Vaswani et al. 2017), packed for decoding. Torch-free and immutable: searches
// and threads share them. H is the width, D that of a head, A that of the attention to the source, F of the
// feed-forward network, V the vocabulary.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/kernels/attention.h"
#include "core/kernels/packed_matrix.h"
#include "core/transformer/positions.h"

namespace seq2seq_kit::transformer {

/// Layer normalisation (Ba et al. 2016), or by the root mean square (Zhang & Sennrich 2019).
struct Norm {
  std::vector<float> weight;  // [H]
  std::vector<float> bias;    // [H]; empty: by the root mean square
  float epsilon;

  /// x, out [rows, H]; `out` may be `x`.
  void operator()(const float* x, int64_t rows, float* out) const;
};

/// Heads of queries, groups of which share a key and a value (Ainslie et al. 2023).
struct SelfAttention {
  int64_t heads, groups;
  float scale;                            // of scores
  kernels::PackedMatrix query_key_value;  // [(heads + 2 groups) D, H]
  kernels::PackedMatrix out;              // [H, heads D]
  /// [distances, D], as `Positions::biases` (Shaw et al. 2018); empty: there are none.
  std::vector<float> distance_keys, distance_values;

  int64_t head_size() const { return out.inputs() / heads; }
  int64_t key_size() const { return groups * head_size(); }  // of all groups

  /// Words of the keys and values of a position.
  int64_t words(kernels::Kept kept) const { return 2 * groups * kernels::words_of(kept, head_size()); }
};

struct SourceAttention {
  int64_t heads;
  float scale;                      // of scores
  kernels::PackedMatrix query;      // [A, H]
  kernels::PackedMatrix key_value;  // [2 A, size of the memory]
  kernels::PackedMatrix out;        // [H, A]

  int64_t size() const { return query.outputs(); }
  int64_t head_size() const { return size() / heads; }

  /// Words of the keys and values of a position.
  int64_t words(kernels::Kept kept) const { return 2 * heads * kernels::words_of(kept, head_size()); }
};

struct FeedForward {
  kernels::Activation activation;
  std::optional<kernels::PackedMatrix> gate;  // [F, H]: activated, and multiplied with `hidden` (Shazeer 2020)
  kernels::PackedMatrix hidden;               // [F, H]: activated where there is no gate
  kernels::PackedMatrix out;                  // [H, F]
};

struct Layer {
  Norm self_norm;
  SelfAttention self_attention;
  std::optional<Norm> source_norm;
  std::optional<SourceAttention> source_attention;  // none in a language model and in an encoder
  Norm feed_forward_norm;
  FeedForward feed_forward;
};

struct EncoderWeights {
  bool pre_norm;  // as that of a decoder
  Positions positions;
  std::optional<kernels::PackedMatrix> input;  // [H, features]; none: what is read is H wide
  std::optional<Norm> embedding_norm;          // of what the first layer is given
  std::vector<Layer> layers;
  std::optional<Norm> norm;  // of the last layer's result

  int64_t size() const { return layers.front().self_attention.out.outputs(); }
  int64_t input_size() const { return input ? input->inputs() : size(); }
};

/// Of a decoder.
struct Weights {
  bool pre_norm;            // what goes into a sublayer is normalised; otherwise the sum with what comes out
  int64_t alignment_layer;  // whose attention to the source is reported
  Positions positions;
  float embedding_scale;
  const float* embedding;                        // [V, H]
  std::shared_ptr<const void> embedding_memory;  // keeps it
  std::optional<Norm> embedding_norm;            // of what the first layer is given
  std::vector<Layer> layers;
  std::optional<Norm> norm;      // of the last layer's result
  float output_scale;            // multiplies that
  kernels::PackedMatrix output;  // [V, H]

  int64_t size() const { return output.inputs(); }
  int64_t vocab() const { return output.outputs(); }

  /// How keys and values are kept: no more precisely than they come out of a product.
  kernels::Kept kept() const {
    return output.precision() == kernels::Precision::fp32 ? kernels::Kept::fp32 : kernels::Kept::bf16;
  }
};

}  // namespace seq2seq_kit::transformer
