#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "seq2seq_kit/step_model.h"
#include "torch/history.h"
#include "torch/state.h"
#include "torch/tensors.h"

namespace seq2seq_kit {

/// What a decoder's step returns (`seq2seq_kit.interfaces.StepOutput`), not yet checked.
struct StepOutput {
  StepScores scores;
  NamedTensors rows;
  NamedTensors new_history;
};

/// A decoder's step: written in Python, an operator of torch, or compiled code.
using StepFunction =
    std::function<StepOutput(const at::Tensor& tokens, const at::Tensor& position, const DecoderState& state)>;

class DeviceStep;

/// Drives a step function and keeps its state for it. The function is all it knows of Python: where it is Python's, the
/// bindings take the GIL in it, and nowhere else.
class FunctionStepModel : public StepModel {
 public:
  /// `takes_padding`: the step knows `DecoderState::padded`.
  FunctionStepModel(StepFunction step, DecoderState state, bool takes_padding = false);

  void init(int64_t batch, int64_t max_beams) override;
  StepScores step(const at::Tensor& tokens, const at::Tensor& position) override;
  void select(const Selection& selection) override;
  at::Device device() const override { return device_; }

  /// The same where the device alone chooses, from the state before the first step.
  DeviceStep on_device(int64_t batch, int64_t beams) const;

 private:
  StepFunction step_;
  DecoderState state_;  // its history is a view of history_
  std::optional<History> history_;
  at::Device device_;
  bool takes_padding_;
  int64_t batch_ = 0;
  int64_t beams_ = 1;
};

/// A step function that needs no Python, with the state of one batch before its first step.
class FunctionStep : public NativeStep {
 public:
  FunctionStep(StepFunction step, DecoderState state) : step_(std::move(step)), state_(std::move(state)) {}

  std::unique_ptr<StepModel> begin() const override { return std::make_unique<FunctionStepModel>(step_, state_); }

 private:
  StepFunction step_;
  DecoderState state_;
};

}  // namespace seq2seq_kit
