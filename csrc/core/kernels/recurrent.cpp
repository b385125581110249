#include "core/kernels/recurrent.h"

#define KERNEL_FILE "core/kernels/recurrent.inl"
#include "core/kernels/for_each_isa.inl"

namespace seq2seq_kit::kernels {

void lstm_cell(const float* gates, const float* c, int64_t size, float* new_h, float* new_c) {
  KERNEL(lstm_cell)(gates, c, size, new_h, new_c);
}

void gru_cell(const float* x, const float* past, const float* h, int64_t size, float* new_h) {
  KERNEL(gru_cell)(x, past, h, size, new_h);
}

void hyperbolic_tangent(const float* x, int64_t size, float* out) { KERNEL(hyperbolic_tangent)(x, size, out); }

}  // namespace seq2seq_kit::kernels
