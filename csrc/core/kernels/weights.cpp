#include "core/kernels/weights.h"

#include <limits>

#include "core/kernels/row.h"

namespace seq2seq_kit::kernels {
namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();

}  // namespace
}  // namespace seq2seq_kit::kernels

#define KERNEL_FILE "core/kernels/weights.inl"
#include "core/kernels/for_each_isa.inl"

namespace seq2seq_kit::kernels {

void weights(const float* row, int64_t size, float max, int32_t* weights) { KERNEL(weights)(row, size, max, weights); }

void distances(const float* row, int64_t size, float max, float centre, float steps, int32_t most, int32_t* distances) {
  KERNEL(distances)(row, size, max, centre, steps, most, distances);
}

Mass weigh(const float* row, int64_t size, float max, const float* maxima, int64_t* sums) {
  return KERNEL(weigh)(row, size, max, maxima, sums);
}

void keep(float* row, int64_t size, float max, float centre, float radius, float* maxima) {
  KERNEL(keep)(row, size, max, centre, radius, maxima);
}

}  // namespace seq2seq_kit::kernels
