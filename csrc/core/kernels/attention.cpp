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

void attend(const Queries& queries, int64_t size, int64_t value_size, const Positions& positions, float scale,
            const float* bias, int64_t bias_stride) {
  if (positions.kept == Kept::fp32) {
    KERNEL(attend_fp32)(queries, size, value_size, positions, scale, bias, bias_stride);
  } else {
    KERNEL(attend_bf16)(queries, size, value_size, positions, scale, bias, bias_stride);
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

void attend(const Queries& queries, int64_t size, const Positions& positions, float scale, const float* bias,
            int64_t bias_stride) {
  attend(queries, size, size, positions, scale, bias, bias_stride);
}

void attend(const Queries& queries, int64_t size, int64_t value_size, const Positions& positions, float scale) {
  attend(queries, size, value_size, positions, scale, nullptr, 0);
}

void fetch(const Positions& positions, int64_t queries, int64_t size) {
  constexpr int64_t kLine = 16;  // words
  const int64_t count = positions.count, words = words_of(positions.kept, size);
  for (int64_t i = 0; i < queries * count; ++i) {
    const int32_t place = positions.places[i];
    if (i >= count && positions.places[i - count] == place) continue;  // as in the list before
    for (int64_t word = 0; word < words; word += kLine) {
      __builtin_prefetch(positions.keys + place * positions.stride + word, 0, 2);
      __builtin_prefetch(positions.values + place * positions.stride + word, 0, 2);
    }
  }
}

void attend_additively(const float* query, const float* energy, int64_t size, int64_t value_size,
                       const Positions& positions, float* weights, float* context) {
  KERNEL(attend_additively)(query, energy, size, value_size, positions, weights, context);
}

}  // namespace seq2seq_kit::kernels
