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

int64_t weigh(const float* row, int64_t size, float max, const float* maxima, int64_t* sums) {
  return KERNEL(weigh)(row, size, max, maxima, sums);
}

int64_t weigh(const float* row, int64_t size, float max, const float* maxima, int64_t* sums, int32_t* weights) {
  return KERNEL(weigh_and_store)(row, size, max, maxima, sums, weights);
}

Mass weigh_with_surprisal(const float* row, int64_t size, float max, const float* maxima, int64_t* sums,
                          int32_t* weights) {
  return KERNEL(weigh_with_surprisal)(row, size, max, maxima, sums, weights);
}

void keep(float* row, int64_t size, float max, float centre, float radius, float* maxima) {
  KERNEL(keep)(row, size, max, centre, radius, maxima);
}

int64_t keep(float* row, int64_t size, float max, float centre, float radius, float* maxima, const int32_t* weights,
             int64_t* sums) {
  return KERNEL(keep_weighed)(row, size, max, centre, radius, maxima, weights, sums);
}

int64_t between(const float* row, int64_t size, float max, float centre, float from, float to, int32_t* found) {
  return KERNEL(between)(row, size, max, centre, from, to, found);
}

int64_t at_least(const float* row, int64_t size, float least, float* found) {
  return KERNEL(at_least)(row, size, least, found);
}

}  // namespace seq2seq_kit::kernels
