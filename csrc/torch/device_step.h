// A step and its state where the device alone knows who continues whom.
#pragma once

#include "torch/device_history.h"
#include "torch/function_step_model.h"

namespace seq2seq_kit {

/// Drives a step function on a batch that keeps its size, in tensors that keep their places: what it enqueues for one
/// step may be recorded and run again for the next.
class DeviceStep {
 public:
  /// `initial` is left as it is. With `takes_padding`, the step takes history with padding behind it.
  DeviceStep(StepFunction step, const DecoderState& initial, int64_t batch, int64_t beams, bool takes_padding);

  at::Device device() const { return device_; }

  /// Whether two steps of as many slots see the same shapes, as long as `begin` returns false.
  bool is_fixed() const { return history_.empty() || history_.pads(); }

  /// Before the step at `position`. True where tensors have moved: what was recorded holds no more.
  bool begin(int64_t position) { return history_.begin(position); }

  /// One time step: `tokens` [B, width] int64 and `position` [B] int64.
  StepScores operator()(const at::Tensor& tokens, const at::Tensor& position);

  /// Slot k of the next step goes on from slot `parents` [B, K] of the last one.
  void select(const at::Tensor& parents);

 private:
  StepFunction step_;
  at::Device device_;
  int64_t batch_, beams_;
  DecoderState state_;     // its history is what is shown
  NamedTensors new_rows_;  // as the last step returned them
  DeviceHistory history_;
};

}  // namespace seq2seq_kit
