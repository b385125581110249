#pragma once

#include <ATen/ATen.h>

#include <optional>
#include <string>
#include <tuple>

namespace seq2seq_kit {

/// What there is beside the two summands of a residual connection.
struct ResidualOptions {
  std::optional<at::Tensor> weight, bias;  // of the norm, [H] float32: neither, RMSNorm's weight, LayerNorm's both
  double epsilon;
  double probability;  // of dropping an entry of y
  int64_t seed;        // of the random numbers
};

/// norm(x + dropout(y)) on the CPU; without a norm's weight, x + dropout(y).
///
/// Args: `x` and `y` [..., H], float32 or bfloat16; `y` may be bfloat16 where `x` is float32, not the reverse.
///
/// Returns: the result, as `x`; and for `residual_backward` the sums, as `x`, and the mean and reciprocal deviation of
/// each, [rows, 2] float32, both empty without a norm.
std::tuple<at::Tensor, at::Tensor, at::Tensor> residual(const at::Tensor& x, const at::Tensor& y,
                                                        const ResidualOptions& options);

/// The gradients of x, y, weight and bias, empty where there is none, for that of the result. `y_type` is the type of
/// y.
std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> residual_backward(const at::Tensor& slope,
                                                                             const at::Tensor& sums,
                                                                             const at::Tensor& moments,
                                                                             at::ScalarType y_type,
                                                                             const ResidualOptions& options);

}  // namespace seq2seq_kit
