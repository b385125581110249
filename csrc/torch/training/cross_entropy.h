#pragma once

#include <ATen/ATen.h>

#include <tuple>

namespace seq2seq_kit {

/// Cross-entropy of logits with smoothed labels, summed over real positions, and its gradient.
///
/// Args: `scores` [N, V] float32 or bfloat16, `labels` [N] int64, `real` [N] bool; `on_label` is the probability that
/// labels shall have, `others` that of each other token.
///
/// Returns: float64 [3], the sums of the loss, of -log p(label), and of 1 where no score is above the label's; and the
/// gradient of the loss, as `scores`.
///
/// Throws IndexError for a label that is no token.
std::tuple<at::Tensor, at::Tensor> cross_entropy(const at::Tensor& scores, const at::Tensor& labels,
                                                 const at::Tensor& real, double on_label, double others);

}  // namespace seq2seq_kit
