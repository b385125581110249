#include "torch/table_step_model.h"

#include <ATen/ATen.h>

#include "seq2seq_kit/errors.h"
#include "torch/tensors.h"

namespace seq2seq_kit {

TableStepModel::TableStepModel(at::Tensor table, ScoreKind kind) : table_(std::move(table)), kind_(kind) {
  if (!table_.is_floating_point() || table_.dim() != 3 || table_.size(1) < 1 || table_.size(2) < 1) {
    throw SearchError("the table has shape " + to_string(table_.sizes()) +
                      ", expected floating [B, P, V], P and V > 0");
  }
}

void TableStepModel::init(int64_t batch, int64_t /*max_beams*/) {
  if (batch != table_.size(0)) throw SearchError("the table has " + std::to_string(table_.size(0)) + " sentences");
  sentences_ = at::arange(batch, at::TensorOptions(at::kLong).device(device())).unsqueeze(1);
  hashes_ = at::Tensor();
}

StepScores TableStepModel::step(const at::Tensor& tokens, const at::Tensor& /*position*/) {
  hashes_ = hashes_.defined() ? (hashes_ * 5 + tokens + 1).remainder(table_.size(1)) : at::zeros_like(tokens);
  return {at::index(table_, {sentences_.expand_as(tokens), hashes_}), kind_, {}};
}

void TableStepModel::select(const Selection& selection) {
  const auto survivors = static_cast<int64_t>(selection.survivors.size());
  const at::Tensor rows = to_tensor(selection.rows(hashes_.size(1)), device());
  hashes_ = hashes_.flatten().index_select(0, rows).view({survivors, selection.beams});
  sentences_ = sentences_.index_select(0, to_tensor(selection.survivors, device()));
}

}  // namespace seq2seq_kit
