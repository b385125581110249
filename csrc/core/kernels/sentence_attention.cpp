#include "core/kernels/sentence_attention.h"

#include <cmath>
#include <limits>

namespace seq2seq_kit::kernels {
namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();
constexpr int64_t kQueries = 32;  // so many at a time: what is kept of them stays in the nearest caches

int64_t round_up(int64_t size) { return (size + 15) / 16 * 16; }

}  // namespace
}  // namespace seq2seq_kit::kernels

#define KERNEL_FILE "core/kernels/sentence_attention.inl"
#include "core/kernels/for_each_isa.inl"

namespace seq2seq_kit::kernels {

int64_t attention_scratch(const AttentionShape& shape) {
  const int64_t size = round_up(shape.size), keys = round_up(shape.keys);
  return 4 * shape.keys * size + 2 * shape.size * keys + kQueries * (3 * size + 2 * keys);
}

void attend(const AttentionShape& shape, Vectors<const float> query, Vectors<const float> keys,
            Vectors<const float> values, Vectors<float> contexts, float* norms, float* scratch) {
  KERNEL(attend_float)(shape, query, keys, values, contexts, norms, scratch);
}

void attend(const AttentionShape& shape, Vectors<const Bfloat16> query, Vectors<const Bfloat16> keys,
            Vectors<const Bfloat16> values, Vectors<Bfloat16> contexts, float* norms, float* scratch) {
  KERNEL(attend_bfloat16)(shape, query, keys, values, contexts, norms, scratch);
}

void attend_backward(const AttentionShape& shape, Vectors<const float> query, Vectors<const float> keys,
                     Vectors<const float> values, const float* norms, const AttentionGradients<float>& gradients,
                     float* scratch) {
  KERNEL(attend_backward_float)(shape, query, keys, values, norms, gradients, scratch);
}

void attend_backward(const AttentionShape& shape, Vectors<const Bfloat16> query, Vectors<const Bfloat16> keys,
                     Vectors<const Bfloat16> values, const float* norms, const AttentionGradients<Bfloat16>& gradients,
                     float* scratch) {
  KERNEL(attend_backward_bfloat16)(shape, query, keys, values, norms, gradients, scratch);
}

}  // namespace seq2seq_kit::kernels
