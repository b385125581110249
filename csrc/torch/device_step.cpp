#include "torch/device_step.h"

#include "torch/check.h"

namespace seq2seq_kit {
namespace {

at::Device checked_device(const DecoderState& initial, int64_t batch) {
  const at::Device device = device_of(initial);
  check_initial_state(initial, batch, device);
  return device;
}

NamedTensors copied(const NamedTensors& tensors) {
  NamedTensors copies;
  for (const auto& [name, tensor] : tensors) copies.emplace_back(name, tensor.clone());
  return copies;
}

}  // namespace

DeviceStep::DeviceStep(StepFunction step, const DecoderState& initial, int64_t batch, int64_t beams, bool takes_padding)
    : step_(std::move(step)),
      device_(checked_device(initial, batch)),
      batch_(batch),
      beams_(beams),
      state_{copied(initial.rows), initial.history, initial.sentences},
      history_(initial.history, beams,
               // A past from before the first step would lie before `position`.
               takes_padding && !initial.history.empty() && initial.history.front().second.size(2) == 0) {
  state_.padded = history_.pads();
}

StepScores DeviceStep::operator()(const at::Tensor& tokens, const at::Tensor& position) {
  const int64_t width = tokens.size(1);
  state_.history = history_.view(width);
  StepOutput output = step_(tokens, position, state_);
  check_scores(output.scores, batch_, width, device_);
  check_rows(output.rows, state_.rows);
  check_new_history(output.new_history, state_.history);
  history_.append(output.new_history, position);
  new_rows_ = std::move(output.rows);
  return output.scores;
}

void DeviceStep::select(const at::Tensor& parents) {
  history_.select(parents);
  for (size_t i = 0; i < new_rows_.size(); ++i) {
    at::Tensor& kept = state_.rows[i].second;
    at::Tensor selected = new_rows_[i].second;  // [B, width, ...]
    if (beams_ > 1) {
      const int64_t width = selected.size(1);
      const at::Tensor sentences = at::arange(batch_, parents.options()).unsqueeze(1) * width;
      auto shape = selected.sizes().vec();
      shape[1] = beams_;
      selected = selected.flatten(0, 1).index_select(0, (sentences + parents).flatten()).view(shape);
    }
    if (kept.sizes() == selected.sizes()) {
      kept.copy_(selected.is_alias_of(kept) ? selected.clone() : selected);
    } else {
      kept = selected;  // after the first step
    }
  }
}

}  // namespace seq2seq_kit
