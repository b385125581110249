#include "core/kernels/training/cross_entropy.h"

#include <cmath>
#include <limits>

namespace seq2seq_kit::kernels {
namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();

}  // namespace
}  // namespace seq2seq_kit::kernels

#define KERNEL_FILE "core/kernels/training/cross_entropy.inl"
#include "core/kernels/for_each_isa.inl"

namespace seq2seq_kit::kernels {

CrossEntropy cross_entropy(const float* scores, int64_t size, int64_t label, float on_label, float others,
                           float* scratch, float* gradient) {
  return KERNEL(cross_entropy_float)(scores, size, label, on_label, others, scratch, gradient);
}

CrossEntropy cross_entropy(const Bfloat16* scores, int64_t size, int64_t label, float on_label, float others,
                           float* scratch, Bfloat16* gradient) {
  return KERNEL(cross_entropy_bfloat16)(scores, size, label, on_label, others, scratch, gradient);
}

}  // namespace seq2seq_kit::kernels
