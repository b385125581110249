#include "core/kernels/multiply.h"

#include <algorithm>

#define KERNEL_FILE "core/kernels/multiply.inl"
#define KERNEL_DOT_PRODUCTS
#include "core/kernels/for_each_isa.inl"

namespace seq2seq_kit::kernels {
namespace {

template <typename T>
void grow(AlignedArray<T>& array, size_t size) {
  if (array.size() < size) array = AlignedArray<T>(size);
}

}  // namespace

Inputs& Inputs::of_this_thread() {
  thread_local Inputs inputs;
  return inputs;
}

PackedRows Inputs::pack(const PackedMatrix::Packed& w, const float* x, int64_t rows, int64_t x_stride) {
  if (w.precision == Precision::fp32) return {x, x_stride, nullptr, nullptr};
  const int64_t stride = (w.depth + kLine - 1) / kLine * kLine;  // rows begin at a line
  grow(words_, rows * stride);
  grow(scales_, rows);
  grow(zeros_, rows);
  for (int64_t row = 0; row < rows; ++row) {
    const float* from = x + row * x_stride;
    uint32_t* to = words_.data() + row * stride;
    if (w.precision == Precision::bf16) {
      KERNEL(round_to_bf16)(from, w.inputs, reinterpret_cast<uint16_t*>(to));
    } else {
      KERNEL(round_to_steps)(from, w.inputs, reinterpret_cast<uint8_t*>(to), &scales_[row], &zeros_[row]);
    }
  }
  return {words_.data(), stride, scales_.data(), zeros_.data()};
}

uint32_t* Inputs::sums(int64_t rows) {
  grow(sums_, rows * kPanel);
  return sums_.data();
}

void multiply_panels(const PackedMatrix::Packed& w, int64_t first, int64_t last, const PackedRows& x, int64_t rows,
                     float* out, int64_t out_stride, Activation activation, const float* added, Ahead* ahead) {
  uint32_t* sums = Inputs::of_this_thread().sums(rows);
  KERNEL(multiply_panels)(w, first, last, x, rows, sums, out, out_stride, activation, added, ahead);
}

void multiply(const PackedMatrix& w, const float* x, int64_t rows, int64_t x_stride, float* out, int64_t out_stride,
              Activation activation, const float* added) {
  const auto& packed = w.packed();
  for_panels(packed.panels(), kPanel * rows * packed.inputs, [&](int64_t, int64_t first, int64_t last) {
    for (int64_t row = 0; row < rows; row += kRowsTogether) {
      const int64_t count = std::min(kRowsTogether, rows - row), at = row * out_stride + first * kPanel;
      const PackedRows inputs = Inputs::of_this_thread().pack(packed, x + row * x_stride, count, x_stride);
      multiply_panels(packed, first, last, inputs, count, out + at, out_stride, activation,
                      added ? added + at : nullptr);
    }
  });
}

}  // namespace seq2seq_kit::kernels
