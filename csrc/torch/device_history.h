#pragma once

#include "torch/tensors.h"

namespace seq2seq_kit {

/// What `History` is, where the device alone knows who continues whom: nothing is written twice, and a table on the
/// device, [B, K, positions], says whose slot holds each position of a hypothesis' past. A step is shown what is
/// gathered along it.
class DeviceHistory {
 public:
  /// `initial` [B, 1, t, ...] each, t alike; `beams` slots a sentence. With `pads`, a step is shown all positions there
  /// is room for, zeros behind the written ones: the same shapes from step to step.
  DeviceHistory(const NamedTensors& initial, int64_t beams, bool pads);

  bool empty() const { return storage_.empty(); }
  bool pads() const { return pads_; }

  /// Before the step at `position`. True where it was given more room, so that tensors have moved.
  bool begin(int64_t position);

  /// The past of the first `width` slots, [B, width, t, ...] each.
  NamedTensors view(int64_t width) const;

  /// New slices [B, width, 1, ...] at `position` [B], which is the same for all sentences.
  void append(const NamedTensors& slices, const at::Tensor& position);

  /// Slot k goes on from `parents` [B, K].
  void select(const at::Tensor& parents);

 private:
  bool reserve(int64_t positions);

  int64_t beams_;
  bool pads_;
  int64_t first_ = 0;      // positions before the first step
  int64_t positions_ = 0;  // before the next step
  int64_t capacity_ = 0;
  NamedTensors storage_;  // [B, K, capacity, ...]
  at::Tensor writers_;  // [B, K, capacity] int64: the slot that holds this position; of one slot, nothing need be told
};

}  // namespace seq2seq_kit
