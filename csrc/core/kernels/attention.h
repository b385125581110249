// Attention of one query to positions that lie anywhere in memory. As `row.h`: the same result on every instruction
// set.
#pragma once

#include <cstdint>

namespace seq2seq_kit::kernels {

/// Positions with a key and a value each: those of position i begin `places[i] * stride` numbers behind `keys` and
/// `values`. Without `places` they lie one after another.
struct Positions {
  const float* keys;
  const float* values;
  int64_t stride;
  const int32_t* places;  // [count], or null
  int64_t count;
};

/// One head of scaled dot-product attention (Vaswani et al. 2017):
/// weights [count] = softmax(scale * query · key + bias), context [size] = Σ weights * value. `size` is that of the
/// query, of a key and of a value; `bias` [count] may be null. Without a position, or where every bias is -inf, the
/// weights and the context are 0.
void attend(const float* query, int64_t size, const Positions& positions, float scale, const float* bias,
            float* weights, float* context);

/// The same without a bias, for values that are not as wide as keys: `context` [value_size].
void attend(const float* query, int64_t size, int64_t value_size, const Positions& positions, float scale,
            float* weights, float* context);

/// Additive attention (Bahdanau et al. 2015): as the last, with weights = softmax(energy · tanh(query + key)). `energy`
/// [size].
void attend_additively(const float* query, const float* energy, int64_t size, int64_t value_size,
                       const Positions& positions, float* weights, float* context);

}  // namespace seq2seq_kit::kernels
