// Attention of queries to positions that lie anywhere in memory. As `row.h`: the same result on every instruction
// set.
#pragma once

#include <cstdint>

namespace seq2seq_kit::kernels {

/// How a vector, such as a key, is kept in words of 32 bits: as float32, or rounded to bfloat16. Of the latter, number
/// i and number i + 16 of every 32 share a word, the lower half and the upper; the last 32 are filled up with zeros.
enum class Kept { fp32, bf16 };

/// What a vector of `size` numbers takes.
constexpr int64_t words_of(Kept kept, int64_t size) { return kept == Kept::fp32 ? size : (size + 31) / 32 * 16; }

/// Writes a vector to `words` [words_of(kept, size)].
void keep(Kept kept, const float* vector, int64_t size, uint32_t* words);

/// Positions with a key and a value each: those of position i begin `places[i] * stride` words behind `keys` and
/// `values`. Without `places` they lie one after another.
struct Positions {
  const uint32_t* keys;
  const uint32_t* values;
  int64_t stride;
  const int32_t* places;  // [queries, count], or null
  int64_t count;
  Kept kept;

  Positions(const uint32_t* keys, const uint32_t* values, int64_t stride, const int32_t* places, int64_t count,
            Kept kept)
      : keys(keys), values(values), stride(stride), places(places), count(count), kept(kept) {}

  /// Kept as float32.
  Positions(const float* keys, const float* values, int64_t stride, const int32_t* places, int64_t count)
      : Positions(reinterpret_cast<const uint32_t*>(keys), reinterpret_cast<const uint32_t*>(values), stride, places,
                  count, Kept::fp32) {}
};

/// Queries of one head, such as those of the hypotheses of a sentence, and what becomes of them.
struct Queries {
  const float* queries;  // [count, size]
  int64_t count, stride;
  float* weights;   // [count, positions]
  float* contexts;  // [count, size]
  int64_t context_stride;

  /// Those from `query` on.
  Queries from(int64_t query, int64_t positions) const {
    return {queries + query * stride,          count - query, stride, weights + query * positions,
            contexts + query * context_stride, context_stride};
  }
};

/// One head of scaled dot-product attention (Vaswani et al. 2017), for each query:
/// weights [positions] = softmax(scale * query · key + bias), context [size] = Σ weights * value. `size` is that of a
/// query, of a key and of a value; `bias` [positions] may be null, and that of the next query lies `bias_stride`
/// behind. Without a position, or where every bias is -inf, the weights and the context are 0.
///
/// Each query has places of its own; where those of several begin alike, keys and values are read once. A query has the
/// same result, to the bit, whatever others come with it.
void attend(const Queries& queries, int64_t size, const Positions& positions, float scale, const float* bias = nullptr,
            int64_t bias_stride = 0);

/// The same without a bias, for values that are not as wide as keys: contexts [count, value_size].
void attend(const Queries& queries, int64_t size, int64_t value_size, const Positions& positions, float scale);

/// Asks for the keys and values of `queries` lists of places, which will be read soon.
void fetch(const Positions& positions, int64_t queries, int64_t size);

/// Additive attention (Bahdanau et al. 2015) of one query: weights = softmax(energy · tanh(query + key)), for positions
/// kept as float32. `energy` [size], `weights` [positions], `context` [value_size].
void attend_additively(const float* query, const float* energy, int64_t size, int64_t value_size,
                       const Positions& positions, float* weights, float* context);

}  // namespace seq2seq_kit::kernels
