#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace seq2seq_kit {

/// A memory's states, checked, and as native steppers read them: float32 on the CPU, in one piece.
class MemoryStates {
 public:
  /// `states` [B, S', size] and `mask` [B, S'] bool. Throws a SearchError where they are otherwise, or not there.
  MemoryStates(const at::Tensor& states, const at::Tensor& mask, int64_t size);

  int64_t batch() const { return mask_.size(0); }
  const float* states() const { return states_.const_data_ptr<float>(); }
  std::span<const bool> real() const { return {mask_.const_data_ptr<bool>(), static_cast<size_t>(mask_.numel())}; }

 private:
  at::Tensor states_, mask_;
};

}  // namespace seq2seq_kit
