#pragma once

#include <ATen/ATen.h>

#include <array>
#include <optional>
#include <tuple>

namespace seq2seq_kit {

/// Scaled dot-product attention in several heads, for short sequences on the CPU.
///
/// Args: `query` [N, heads, Q, D], `keys` and `values` [N, groups, S, D], of one type, float32 or bfloat16, with any
/// strides but of D; `bias` [N, heads, Q, S] float32, likewise, is added to the scores; `causal`: query q sees the keys
/// 0 to q alone; `scale` is that of the scores.
///
/// Returns: contexts [N, heads, Q, D], which lie in memory as [N, Q, heads, D], and the log of the sum of exp(scores)
/// [N, heads, Q] float32, for `attend_backward`. A query that sees no key has a context of zeros.
std::tuple<at::Tensor, at::Tensor> attend(const at::Tensor& query, const at::Tensor& keys, const at::Tensor& values,
                                          const std::optional<at::Tensor>& bias, bool causal, double scale);

/// The gradients of queries, keys and values for the gradient `slope` of the contexts; they lie in memory position by
/// position.
std::array<at::Tensor, 3> attend_backward(const at::Tensor& slope, const at::Tensor& query, const at::Tensor& keys,
                                          const at::Tensor& values, const std::optional<at::Tensor>& bias,
                                          const at::Tensor& norms, bool causal, double scale);

}  // namespace seq2seq_kit
