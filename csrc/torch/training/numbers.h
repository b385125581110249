// Tensors as the training kernels see them.
#pragma once

#include <ATen/ATen.h>

#include "core/kernels/bfloat16.h"

namespace seq2seq_kit {

template <typename Number>
Number* numbers(const at::Tensor& tensor) {
  return static_cast<Number*>(tensor.mutable_data_ptr());
}

template <typename Number>
const Number* constant_numbers(const at::Tensor& tensor) {
  return static_cast<const Number*>(tensor.const_data_ptr());
}

/// Calls `work` with a number of the type that a float32 or bfloat16 tensor has.
template <typename Work>
void with_number_of(const at::Tensor& tensor, const Work& work) {
  TORCH_CHECK(tensor.is_cpu(), "expected a tensor on the CPU, got one on ", tensor.device());
  if (tensor.scalar_type() == at::kFloat) {
    work(float{});
  } else {
    TORCH_CHECK(tensor.scalar_type() == at::kBFloat16, "expected float32 or bfloat16, got ", tensor.scalar_type());
    work(kernels::Bfloat16{});
  }
}

}  // namespace seq2seq_kit
