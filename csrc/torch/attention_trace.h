#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "seq2seq_kit/hypothesis.h"

namespace seq2seq_kit {

/// Keeps the attention of every step, so that it can be read along a finished hypothesis.
class AttentionTrace {
 public:
  /// The next step's attention [B, K, S'], or an undefined tensor. Throws a SearchError where it changes between the
  /// two.
  void append(const at::Tensor& attention);

  /// [tokens, S'] on the decoder's device, an ordinary tensor of its own memory; undefined where there was none.
  at::Tensor along(const Hypothesis& hypothesis) const;

 private:
  std::optional<bool> first_given_;  // whether the first step gave any
  std::vector<at::Tensor> steps_;    // [B * K, S'] each
};

}  // namespace seq2seq_kit
