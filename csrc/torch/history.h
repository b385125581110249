#pragma once

#include "core/ancestors.h"
#include "seq2seq_kit/step_model.h"
#include "torch/tensors.h"

namespace seq2seq_kit {

/// The past of every live hypothesis, [B, K, t, ...] for each name, in storage that grows by doubling. Appending writes
/// one position; slots that continue themselves move nothing, and slots that continue another one copy only the
/// positions since the two parted.
class History {
 public:
  /// `initial` [B, 1, t, ...] each, t alike; `max_beams` slots a sentence are reserved.
  History(const NamedTensors& initial, int64_t max_beams);

  int64_t positions() const { return positions_; }

  /// Views [B, K, t, ...] of the storage, valid until the next append or select.
  NamedTensors view(int64_t batch, int64_t beams) const;

  /// New slices [B, K, 1, ...], in the order of `initial`.
  void append(const NamedTensors& slices);

  void select(const Selection& selection);

 private:
  void reserve(int64_t positions);
  std::vector<int64_t> storage_rows(int64_t batch, int64_t beams) const;

  int64_t max_beams_;
  int64_t positions_ = 0;
  int64_t capacity_ = 0;
  NamedTensors storage_;  // [B, max_beams, capacity, ...]
  AncestorTable ancestors_;
};

}  // namespace seq2seq_kit
