// Weights for the native tests of encoders and decoders.
#pragma once

#include <cstdint>
#include <vector>

#include "core/kernels/packed_matrix.h"
#include "random.h"

namespace seq2seq_kit::testing {

/// Such that what is computed with them is neither flat nor certain.
inline std::vector<float> numbers(Random& random, int64_t count) {
  std::vector<float> row = random.row(count, false, 0);
  for (float& x : row) x *= 0.1f;
  return row;
}

inline kernels::PackedMatrix matrix(Random& random, int64_t outputs, int64_t inputs, kernels::Precision precision) {
  return {numbers(random, outputs * inputs).data(), numbers(random, outputs).data(), outputs, inputs, precision};
}

}  // namespace seq2seq_kit::testing
