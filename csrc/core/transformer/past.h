// What hypotheses have read so far: keys and values that are written once and stay where they are.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace seq2seq_kit::transformer {

/// Every row of every step has a cell, with room for the keys and values of all layers; a hypothesis is a list of the
/// cells of its positions. Reordering, widening and shrinking a batch write lists, and nothing else; the cells that no
/// hypothesis has any more are taken again.
class Past {
 public:
  /// `stride` words a cell, for `rows` empty hypotheses.
  Past(int64_t stride, int64_t rows) : stride_(stride), rows_(rows) {}
  Past(const Past&) = delete;
  Past& operator=(const Past&) = delete;
  ~Past();

  /// A step: each row gets a cell for its newest position.
  void open_step();

  /// The cell of a row's newest position.
  uint32_t* newest(int64_t row) { return cells_.get() + places(row).back() * stride_; }

  /// Where a row's positions lie, oldest first and the newest among them: in cells behind `cells()`.
  std::span<const int32_t> places(int64_t row) const { return {places_.data() + row * length_, size_t(length_)}; }
  const uint32_t* cells() const { return cells_.get(); }
  int64_t stride() const { return stride_; }

  /// Positions that each hypothesis has.
  int64_t length() const { return length_; }

  /// `parents` [new rows], indexes into the rows: what each continues.
  void select(std::span<const int64_t> parents);

 private:
  struct Free {
    void operator()(uint32_t* memory) const;
  };

  /// A cell that no hypothesis has; there must be room for it.
  int32_t take();

  /// Makes room for so many cells.
  void reserve(int64_t cells);

  int64_t stride_;
  int64_t rows_;
  int64_t length_ = 0;
  int64_t used_ = 0, capacity_ = 0;          // cells: that were ever taken, that there is room for
  std::vector<int32_t> free_;                // of those taken, the ones to be taken again, descending
  std::unique_ptr<uint32_t[], Free> cells_;  // [capacity, stride]
  std::vector<int32_t> places_;              // [rows, length]
};

}  // namespace seq2seq_kit::transformer
