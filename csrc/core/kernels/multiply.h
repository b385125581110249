// What the products share behind their interface: rows prepared for the kernels, and the kernels.
#pragma once

#include <cstdint>

#include "core/kernels/packed_layout.h"
#include "core/team.h"

namespace seq2seq_kit::kernels {

/// Rows of inputs are taken at most so many at a time: with them, the caches hold a panel and the scores of some.
inline constexpr int64_t kRowsTogether = 192;

/// Rows that are multiplied in registers at a time.
inline constexpr int64_t kRowsOfBlock = 6;

/// Words of a line of the caches.
inline constexpr int64_t kLine = 16;

/// Inputs of at most `kRowsTogether` rows in the precision of a matrix. Each thread keeps one: its memory is used
/// again.
class Inputs {
 public:
  static Inputs& of_this_thread();

  /// Valid until the next call. `x` must stay.
  PackedRows pack(const PackedMatrix::Packed& w, const float* x, int64_t rows, int64_t x_stride);

  /// Room for the sums of a panel.
  uint32_t* sums(int64_t rows);

 private:
  AlignedArray<uint32_t> words_, sums_;
  AlignedArray<float> scales_;
  AlignedArray<int32_t> zeros_;
};

/// Calls `work(block, begin, end)` for parts of [0, count): one, or one for each thread of this thread's team where
/// `work` is worth it, at so many multiplications each.
template <typename Work>
void for_panels(int64_t count, int64_t multiplications, const Work& work) {
  constexpr int64_t kWorthIt = 1 << 16;  // about the time of calling the others
  if (team_size() == 1 || count * multiplications < kWorthIt) {
    work(0, 0, count);
  } else {
    together(count, work);
  }
}

/// Words of weights that are read soon, to be fetched while others are multiplied: a line with each word of a row.
class Ahead {
 public:
  Ahead(const uint32_t* words, int64_t count) : words_(words), count_(count) {}

  /// The next `lines`, or `there`, where words lie that are fetched.
  const uint32_t* take(int64_t lines, const uint32_t* there) {
    if (count_ < lines * kLine) return there;
    count_ -= lines * kLine;
    words_ += lines * kLine;
    return words_ - lines * kLine;
  }

 private:
  const uint32_t* words_;
  int64_t count_;
};

/// Outputs [first * kPanel, last * kPanel) as far as there are, of at most `kRowsTogether` rows, into `out`, whose
/// first column is the first of them. Meanwhile `ahead` is fetched, or where that is null, panel by panel the next.
void multiply_panels(const PackedMatrix::Packed& w, int64_t first, int64_t last, const PackedRows& x, int64_t rows,
                     float* out, int64_t out_stride, Activation activation, const float* added, Ahead* ahead = nullptr);

}  // namespace seq2seq_kit::kernels
