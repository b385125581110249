// How a packed matrix lies in memory: what packing writes and the kernels read.
#pragma once

#include <cstdint>
#include <memory>

#include "core/kernels/aligned.h"
#include "core/kernels/packed_matrix.h"

namespace seq2seq_kit::kernels {

/// Outputs that are computed together. The last panel is filled up with zeros.
inline constexpr int64_t kPanel = 64;

/// Weights and inputs are read in words of 32 bits: one float32, two bfloat16 or four bytes, of successive inputs. That
/// is what the dot-product instructions read, and the rows of a tile of AMX.
inline constexpr int64_t inputs_per_word(Precision precision) {
  return precision == Precision::fp32 ? 1 : precision == Precision::bf16 ? 2 : 4;
}

inline constexpr int64_t words_per_row(Precision precision, int64_t inputs) {
  return (inputs + inputs_per_word(precision) - 1) / inputs_per_word(precision);
}

/// The kernels' view of a packed matrix.
struct PackedMatrix::Packed {
  int64_t outputs, inputs;
  Precision precision;
  int64_t depth;                      // words of an output
  std::shared_ptr<uint32_t[]> words;  // [panels, depth, kPanel]
  AlignedArray<float> bias;           // [panels, kPanel]
  AlignedArray<float> scales;         // int8: [panels, kPanel], what a step of each output's weights is worth
  AlignedArray<int32_t> sums;         // int8: [panels, kPanel], the sum of each output's weights, in steps

  int64_t words_count() const { return panels() * depth * kPanel; }
  int64_t panels() const { return (outputs + kPanel - 1) / kPanel; }
};

/// Rows of inputs as the kernels read them: for fp32 those of the caller.
struct PackedRows {
  const void* words;     // [rows, depth]
  int64_t stride;        // in words
  const float* scales;   // int8: [rows], what a step is worth
  const int32_t* zeros;  // int8: [rows], the step that stands for 0

  /// Those from `row` on.
  PackedRows from(int64_t row) const {
    return {static_cast<const uint32_t*>(words) + row * stride, stride, scales ? scales + row : nullptr,
            zeros ? zeros + row : nullptr};
  }
};

}  // namespace seq2seq_kit::kernels
