#include "core/kernels/row.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/kernels/exp.h"
#include "core/kernels/per_isa.h"

namespace seq2seq_kit::kernels {
namespace {

constexpr int64_t kLanes = 16;  // partial sums: a vector of AVX-512, two of AVX2

}  // namespace

PER_ISA float block_maxima(const float* row, int64_t size, float* maxima) {
  float greatest = -std::numeric_limits<float>::infinity();
  for (int64_t start = 0; start < size; start += kBlock) {
    float lanes[kLanes];
    std::fill(lanes, lanes + kLanes, -std::numeric_limits<float>::infinity());
    const float* block = row + start;
    const int64_t length = std::min(kBlock, size - start);
    int64_t i = 0;
    for (; i + kLanes <= length; i += kLanes) {
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        const float x = block[i + lane];
        lanes[lane] = x > lanes[lane] ? x : lanes[lane];
      }
    }
    for (; i < length; ++i) lanes[0] = std::max(lanes[0], block[i]);
    float max = lanes[0];
    for (int64_t lane = 1; lane < kLanes; ++lane) max = std::max(max, lanes[lane]);
    *maxima++ = max;
    greatest = std::max(greatest, max);
  }
  return greatest;
}

PER_ISA float log_sum_exp(const float* row, int64_t size, float max, float scale) {
  constexpr int64_t kChunk = 64 * kLanes;  // short sums in float32, their sum in double: accurate for any vocabulary
  double total = 0;
  for (int64_t start = 0; start < size; start += kChunk) {
    const int64_t end = std::min(start + kChunk, size);
    float lanes[kLanes] = {};
    int64_t i = start;
    for (; i + kLanes <= end; i += kLanes) {
      for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += exp_of_negative((row[i + lane] - max) * scale);
    }
    for (int64_t lane = 0; i < end; ++i, ++lane) lanes[lane] += exp_of_negative((row[i] - max) * scale);
    for (int64_t width = kLanes / 2; width > 0; width /= 2) {
      for (int64_t lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
    }
    total += lanes[0];
  }
  return static_cast<float>(std::log(total));
}

PER_ISA bool has_nan(const float* row, int64_t size) {
  int32_t found = 0;
  for (int64_t i = 0; i < size; ++i) found |= row[i] != row[i];
  return found != 0;
}

}  // namespace seq2seq_kit::kernels
