#include "torch/attention_trace.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "seq2seq_kit/errors.h"
#include "torch/tensors.h"

namespace seq2seq_kit {

void AttentionTrace::append(const at::Tensor& attention) {
  if (first_given_.value_or(attention.defined()) != attention.defined()) {
    throw SearchError("the step returned attention at some positions and none at others");
  }
  first_given_ = attention.defined();
  if (!attention.defined()) return;
  steps_.push_back(attention.flatten(0, 1));
  if (attention.size(2) != steps_.front().size(1)) {
    throw SearchError("the step's attention has shape " + to_string(attention.sizes()) + ", but it covered " +
                      std::to_string(steps_.front().size(1)) + " positions at the first step");
  }
}

at::Tensor AttentionTrace::along(const Hypothesis& hypothesis) const {
  if (steps_.empty()) return {};
  c10::InferenceMode ordinary_tensors(false);
  const auto length = static_cast<int64_t>(hypothesis.rows.size());
  at::Tensor path = at::empty({length, steps_.front().size(1)}, steps_.front().options().requires_grad(false));
  for (int64_t i = 0; i < length; ++i) path.select(0, i).copy_(steps_[i].select(0, hypothesis.rows[i]));
  return path;
}

}  // namespace seq2seq_kit
