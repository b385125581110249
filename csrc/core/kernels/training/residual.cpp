#include "core/kernels/training/residual.h"

#include <cmath>
#include <limits>

#define KERNEL_FILE "core/kernels/training/residual.inl"
#include "core/kernels/for_each_isa.inl"

namespace seq2seq_kit::kernels {

void residual(const ResidualShape& shape, int64_t index, const ResidualRow<float, float>& row) {
  KERNEL(residual_float)(shape, index, row);
}

void residual(const ResidualShape& shape, int64_t index, const ResidualRow<float, Bfloat16>& row) {
  KERNEL(residual_mixed)(shape, index, row);
}

void residual(const ResidualShape& shape, int64_t index, const ResidualRow<Bfloat16, Bfloat16>& row) {
  KERNEL(residual_bfloat16)(shape, index, row);
}

void residual_backward(const ResidualShape& shape, int64_t index, const ResidualSlopes<float, float>& row) {
  KERNEL(residual_backward_float)(shape, index, row);
}

void residual_backward(const ResidualShape& shape, int64_t index, const ResidualSlopes<float, Bfloat16>& row) {
  KERNEL(residual_backward_mixed)(shape, index, row);
}

void residual_backward(const ResidualShape& shape, int64_t index, const ResidualSlopes<Bfloat16, Bfloat16>& row) {
  KERNEL(residual_backward_bfloat16)(shape, index, row);
}

}  // namespace seq2seq_kit::kernels
