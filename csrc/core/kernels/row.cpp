#include "core/kernels/row.h"

#include <cmath>
#include <limits>

namespace seq2seq_kit::kernels {
namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();

}  // namespace
}  // namespace seq2seq_kit::kernels

#define KERNEL_FILE "core/kernels/row.inl"
#include "core/kernels/for_each_isa.inl"

namespace seq2seq_kit::kernels {

float block_maxima(const float* row, int64_t size, float* maxima) { return KERNEL(block_maxima)(row, size, maxima); }

float log_sum_exp(const float* row, int64_t size, float max, float scale) {
  return static_cast<float>(std::log(KERNEL(sum_exp)(row, size, max, scale)));
}

bool has_nan(const float* row, int64_t size) { return KERNEL(has_nan)(row, size); }

}  // namespace seq2seq_kit::kernels
