#include "core/kernels/norm.h"

#include <cmath>

#define KERNEL_FILE "core/kernels/norm.inl"
#include "core/kernels/for_each_isa.inl"

namespace seq2seq_kit::kernels {

void layer_norm(const float* x, int64_t size, const float* weight, const float* bias, float epsilon, float* out) {
  const float mean = KERNEL(total)(x, size) / static_cast<float>(size);
  const float variance = KERNEL(sum_of_squares)(x, size, mean) / static_cast<float>(size);
  KERNEL(scale)(x, size, mean, 1 / std::sqrt(variance + epsilon), weight, bias, out);
}

void rms_norm(const float* x, int64_t size, const float* weight, float epsilon, float* out) {
  const float mean = KERNEL(sum_of_squares)(x, size, 0) / static_cast<float>(size);
  KERNEL(scale)(x, size, 0, 1 / std::sqrt(mean + epsilon), weight, nullptr, out);
}

}  // namespace seq2seq_kit::kernels
