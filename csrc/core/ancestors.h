// Which hypothesis wrote each position of the history that is shown to each slot. Torch-free.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace seq2seq_kit {

/// Storage for history is [rows, positions, ...], and a step is shown the positions of a slot side by side. When a slot
/// continues another one, their pasts mostly share their beginnings: only positions from where they part are copied.
/// This table knows where that is, and lists the copies; the storage makes them.
class AncestorTable {
 public:
  struct Copies {  // all sources are read before any target is written
    std::vector<int64_t> from_row, to_row, position;
    bool empty() const { return position.empty(); }
  };

  /// `rows` of storage, the first `live_rows` of which have `positions` positions of their own.
  explicit AncestorTable(int64_t rows);

  int64_t positions() const { return positions_; }

  /// The given rows have written their next position; what other rows hold there is unknown.
  void append(std::span<const int64_t> rows);

  /// Makes row `to[i]` hold the past of row `from[i]`, and returns what has to be copied.
  Copies reorder(std::span<const int64_t> from, std::span<const int64_t> to);

 private:
  static constexpr int64_t kUnknown = -1;

  int64_t positions_ = 0;
  std::vector<std::vector<int64_t>> writers_;  // [rows][positions]: the row that wrote this, at the time of writing
};

}  // namespace seq2seq_kit
