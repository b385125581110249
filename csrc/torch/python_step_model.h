#pragma once

#include <functional>
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

/// Drives a step written in Python (or any callable) and keeps its state for it. The callable is all it knows of
/// Python: the bindings take the GIL in it, and nowhere else.
class PythonStepModel : public StepModel {
 public:
  using Step =
      std::function<StepOutput(const at::Tensor& tokens, const at::Tensor& position, const DecoderState& state)>;

  PythonStepModel(Step step, DecoderState state);

  void init(int64_t batch, int64_t max_beams) override;
  StepScores step(const at::Tensor& tokens, const at::Tensor& position) override;
  void select(const Selection& selection) override;
  at::Device device() const override { return device_; }

 private:
  Step step_;
  DecoderState state_;  // its history is a view of history_
  std::optional<History> history_;
  at::Device device_;
  int64_t batch_ = 0;
  int64_t beams_ = 1;
};

}  // namespace seq2seq_kit
