#include "core/kernels/attention.h"

#include <cstring>
#include <limits>

namespace seq2seq_kit::kernels {
namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();

}  // namespace
}  // namespace seq2seq_kit::kernels

#define KERNEL_FILE "core/kernels/attention.inl"
#include "core/kernels/for_each_isa.inl"

namespace seq2seq_kit::kernels {
namespace {

void attend(const float* query, int64_t size, int64_t value_size, const Positions& positions, float scale,
            const float* bias, float* weights, float* context) {
  if (positions.kept == Kept::fp32) {
    KERNEL(attend_fp32)(query, size, value_size, positions, scale, bias, weights, context);
  } else {
    KERNEL(attend_bf16)(query, size, value_size, positions, scale, bias, weights, context);
  }
}

}  // namespace

void keep(Kept kept, const float* vector, int64_t size, uint32_t* words) {
  if (kept == Kept::fp32) {
    std::memcpy(words, vector, size * sizeof *words);
  } else {
    KERNEL(keep_bf16)(vector, size, words);
  }
}

void attend(const float* query, int64_t size, const Positions& positions, float scale, const float* bias,
            float* weights, float* context) {
  attend(query, size, size, positions, scale, bias, weights, context);
}

void attend(const float* query, int64_t size, int64_t value_size, const Positions& positions, float scale,
            float* weights, float* context) {
  attend(query, size, value_size, positions, scale, nullptr, weights, context);
}

void attend_additively(const float* query, const float* energy, int64_t size, int64_t value_size,
                       const Positions& positions, float* weights, float* context) {
  KERNEL(attend_additively)(query, energy, size, value_size, positions, weights, context);
}

}  // namespace seq2seq_kit::kernels
