// The residual connection: the sum with what dropout leaves of a sublayer's result, normalised or not. Raw pointers, no
// allocation.
#pragma once

#include <cstdint>

#include "core/kernels/bfloat16.h"

namespace seq2seq_kit::kernels {

/// What is dropped: entry j of row i is a function of the seed, i and j alone.
struct Drop {
  uint64_t seed;
  uint32_t dropped;  // of 2^32 draws
  float scale;       // of what is kept
};

enum class Norm { none, layer, rms };

struct ResidualShape {
  int64_t size;  // of a row
  Norm norm;
  float epsilon;
  const float *weight, *bias;  // [size] of the norm; bias only of `layer`
  Drop drop;
};

/// sums = x + drop(y) and out = norm(sums); with `Norm::none` out = x + drop(y), and `sums` and `moments` are not used.
/// `moments` [2] gets the mean and the reciprocal of the deviation.
template <typename Stream, typename Branch>
struct ResidualRow {
  const Stream* x;
  const Branch* y;
  Stream *sums, *out;
  float* moments;
};
void residual(const ResidualShape& shape, int64_t index, const ResidualRow<float, float>& row);
void residual(const ResidualShape& shape, int64_t index, const ResidualRow<float, Bfloat16>& row);
void residual(const ResidualShape& shape, int64_t index, const ResidualRow<Bfloat16, Bfloat16>& row);

/// The gradients of x and y for that of out, `slope`. With `Norm::none` the gradient of x is `slope`, and `d_y` alone
/// is written. Otherwise adds to `d_weight` and `d_bias` [size], the latter of `Norm::layer` alone.
template <typename Stream, typename Branch>
struct ResidualSlopes {
  const Stream* slope;
  const Stream* sums;
  const float* moments;
  Stream* d_x;
  Branch* d_y;
  float *d_weight, *d_bias;
};
void residual_backward(const ResidualShape& shape, int64_t index, const ResidualSlopes<float, float>& row);
void residual_backward(const ResidualShape& shape, int64_t index, const ResidualSlopes<float, Bfloat16>& row);
void residual_backward(const ResidualShape& shape, int64_t index, const ResidualSlopes<Bfloat16, Bfloat16>& row);

}  // namespace seq2seq_kit::kernels
