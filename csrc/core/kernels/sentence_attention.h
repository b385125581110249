// Scaled dot-product attention of all queries of one sentence, in one group of heads, forward and backward: for
// training and for encoders. Raw pointers, no allocation. Computed in float32 whatever the type of the numbers in
// memory.
#pragma once

#include <cstdint>

#include "core/kernels/bfloat16.h"

namespace seq2seq_kit::kernels {

/// Vectors of `size` consecutive numbers, one for each head and position.
template <typename Number>
struct Vectors {
  Number* first;
  int64_t position_stride, head_stride;

  Number* at(int64_t head, int64_t position) const { return first + head * head_stride + position * position_stride; }
};

/// What a group computes with: the keys and values of one head, and the queries of the `heads` that share them.
struct AttentionShape {
  int64_t heads, queries, keys, size;
  float scale;  // of the scores
  bool causal;  // query q sees the keys 0 to q alone
  /// Added to the scores, which minus infinity bars: the row of keys of each query; null: nothing.
  const float* bias;
  int64_t bias_head_stride, bias_query_stride;
};

/// How many floats of scratch a call needs.
int64_t attention_scratch(const AttentionShape& shape);

/// Writes the contexts, and to `norms` [heads, queries] log(sum(exp(scores))); a query that sees no key has a context
/// of zeros, and an infinite norm.
void attend(const AttentionShape& shape, Vectors<const float> query, Vectors<const float> keys,
            Vectors<const float> values, Vectors<float> contexts, float* norms, float* scratch);
void attend(const AttentionShape& shape, Vectors<const Bfloat16> query, Vectors<const Bfloat16> keys,
            Vectors<const Bfloat16> values, Vectors<Bfloat16> contexts, float* norms, float* scratch);

/// The gradients with regard to queries, keys and values, for the gradient `slope` of the contexts.
template <typename Number>
struct AttentionGradients {
  Vectors<const Number> slope;
  Vectors<Number> query, keys, values;
};
void attend_backward(const AttentionShape& shape, Vectors<const float> query, Vectors<const float> keys,
                     Vectors<const float> values, const float* norms, const AttentionGradients<float>& gradients,
                     float* scratch);
void attend_backward(const AttentionShape& shape, Vectors<const Bfloat16> query, Vectors<const Bfloat16> keys,
                     Vectors<const Bfloat16> values, const float* norms, const AttentionGradients<Bfloat16>& gradients,
                     float* scratch);

}  // namespace seq2seq_kit::kernels
