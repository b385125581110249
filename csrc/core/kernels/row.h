// Passes over one row of scores. Raw pointers, no allocation; compiled for several instruction sets, chosen at run
// time, with the same result on each of them: the order of every sum is fixed, and nothing is contracted.
#pragma once

#include <cstdint>

namespace seq2seq_kit::kernels {

/// Selection skips whole blocks whose maximum cannot enter the beam.
inline constexpr int64_t kBlock = 256;

inline int64_t block_count(int64_t size) { return (size + kBlock - 1) / kBlock; }

/// Writes the maximum of each block to `maxima` [block_count(size)] and returns the greatest of them; -inf for an empty
/// row. NaN is passed over: `log_sum_exp` and `has_nan` find it.
float block_maxima(const float* row, int64_t size, float* maxima);

/// log(sum(exp((row - max) * scale))), for `max` the greatest score of the row and finite, and a scale above 0. NaN
/// where a score is NaN.
float log_sum_exp(const float* row, int64_t size, float max, float scale);

/// True where a score is NaN.
bool has_nan(const float* row, int64_t size);

}  // namespace seq2seq_kit::kernels
