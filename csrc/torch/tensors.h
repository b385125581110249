// Small bridges between std::vector and tensors.
#pragma once

#include <ATen/ATen.h>

#include <string>
#include <utility>
#include <vector>

namespace seq2seq_kit {

/// Tensors by name, in the decoder's order.
using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// A 1-d int64 tensor of its own memory on `device`.
inline at::Tensor to_tensor(const std::vector<int64_t>& values, at::Device device) {
  const auto size = static_cast<int64_t>(values.size());
  auto* data = const_cast<int64_t*>(values.data());
  return at::from_blob(data, {size}, at::kLong).to(device, at::kLong, /*non_blocking=*/false, /*copy=*/true);
}

/// A shape as Python writes it: "[2, 3]".
inline std::string to_string(at::IntArrayRef shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

}  // namespace seq2seq_kit
