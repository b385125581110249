// What the hypotheses of a recurrent decoder carry from step to step.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/recurrent/weights.h"

namespace seq2seq_kit::recurrent {

/// Where the parts of a row's state lie.
struct StateLayout {
  explicit StateLayout(const Weights& weights);

  int64_t h(int64_t layer) const { return layer * size; }
  int64_t c(int64_t layer) const { return (layers + layer) * size; }
  int64_t feed() const { return stride - size; }  // with input feeding

  int64_t size, layers;  // H
  int64_t stride;        // of a row
};

/// The states before and after a step. Reordering and shrinking a batch writes a list alone: a step finds the states
/// that it continues where the last one has left them.
class State {
 public:
  /// `start` [rows, stride].
  State(std::vector<float> start, int64_t stride);

  int64_t rows() const { return static_cast<int64_t>(parents_.size()); }

  /// Room for what the rows become.
  void open_step() { next_.resize(rows() * stride_); }

  const float* before(int64_t row) const { return past_.data() + parents_[row] * stride_; }
  float* after(int64_t row) { return next_.data() + row * stride_; }

  /// What they have become is what the next step continues.
  void close_step();

  /// `parents` [new rows], indexes into the rows: what each continues.
  void select(std::span<const int64_t> parents);

 private:
  int64_t stride_;
  std::vector<float> past_, next_;  // [rows, stride]
  std::vector<int64_t> parents_;    // of each row, its place in `past_`
};

}  // namespace seq2seq_kit::recurrent
