#include "torch/function_step_model.h"

#include "torch/check.h"
#include "torch/device_step.h"

namespace seq2seq_kit {

FunctionStepModel::FunctionStepModel(StepFunction step, DecoderState state, bool takes_padding)
    : step_(std::move(step)), state_(std::move(state)), device_(device_of(state_)), takes_padding_(takes_padding) {}

void FunctionStepModel::init(int64_t batch, int64_t max_beams) {
  check_initial_state(state_, batch, device_);
  batch_ = batch;
  history_.emplace(state_.history, max_beams);
}

StepScores FunctionStepModel::step(const at::Tensor& tokens, const at::Tensor& position) {
  StepOutput output = step_(tokens, position, state_);
  check_scores(output.scores, batch_, beams_, device_);
  check_rows(output.rows, state_.rows);
  check_new_history(output.new_history, state_.history);
  history_->append(output.new_history);
  state_.rows = std::move(output.rows);
  return output.scores;
}

void FunctionStepModel::select(const Selection& selection) {
  if (!selection.is_identity(batch_, beams_)) {
    seq2seq_kit::select(state_, selection, batch_, beams_);
    history_->select(selection);
    batch_ = static_cast<int64_t>(selection.survivors.size());
    beams_ = selection.beams;
  }
  state_.history = history_->view(batch_, beams_);
}

DeviceStep FunctionStepModel::on_device(int64_t batch, int64_t beams) const {
  return {step_, state_, batch, beams, takes_padding_};
}

}  // namespace seq2seq_kit
