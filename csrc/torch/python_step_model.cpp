#include "torch/python_step_model.h"

#include <algorithm>

#include "torch/check.h"

namespace seq2seq_kit {
namespace {

/// The device of a state's tensors; the CPU for a step without state.
at::Device device_of(const DecoderState& state) {
  for (const auto* part : {&state.rows, &state.history, &state.sentences}) {
    if (!part->empty()) return part->front().second.device();
  }
  return at::kCPU;
}

}  // namespace

PythonStepModel::PythonStepModel(Step step, DecoderState state)
    : step_(std::move(step)), state_(std::move(state)), device_(device_of(state_)) {}

void PythonStepModel::init(int64_t batch, int64_t max_beams) {
  check_initial_state(state_, batch, device_);
  batch_ = batch;
  history_.emplace(state_.history, max_beams);
}

StepScores PythonStepModel::step(const at::Tensor& tokens, const at::Tensor& position) {
  StepOutput output = step_(tokens, position, state_);
  check_scores(output.scores, batch_, beams_, device_);
  check_rows(output.rows, state_.rows);
  check_new_history(output.new_history, state_.history);
  history_->append(output.new_history);
  state_.rows = std::move(output.rows);
  return output.scores;
}

void PythonStepModel::select(const Selection& selection) {
  if (!selection.is_identity(batch_, beams_)) {
    const at::Tensor rows = to_tensor(selection.rows(beams_), device_);
    const auto survivors = static_cast<int64_t>(selection.survivors.size());
    for (auto& [name, tensor] : state_.rows) {
      auto shape = tensor.sizes().vec();
      shape[0] = survivors;
      shape[1] = selection.beams;
      tensor = tensor.flatten(0, 1).index_select(0, rows).view(shape);
    }
    history_->select(selection);
    if (survivors < batch_) {
      const at::Tensor kept = to_tensor(selection.survivors, device_);
      for (auto& [name, tensor] : state_.sentences) tensor = tensor.index_select(0, kept);
    }
    batch_ = survivors;
    beams_ = selection.beams;
  }
  state_.history = history_->view(batch_, beams_);
}

}  // namespace seq2seq_kit
