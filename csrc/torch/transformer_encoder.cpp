#include "torch/transformer_encoder.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "core/transformer/encoder.h"
#include "seq2seq_kit/errors.h"
#include "torch/tensors.h"

namespace seq2seq_kit {
namespace {

/// Of each sentence of `mask` [B, S].
std::vector<int64_t> lengths_of(const at::Tensor& mask) {
  const at::Tensor real = mask.contiguous();
  const int64_t width = real.size(1);
  std::vector<int64_t> lengths;
  for (int64_t sentence = 0; sentence < real.size(0); ++sentence) {
    const bool* marks = real.const_data_ptr<bool>() + sentence * width;
    const bool* end = std::find(marks, marks + width, false);
    if (std::find(end, marks + width, true) != marks + width) {
      throw SearchError("sentence " + std::to_string(sentence) + ": padding comes before a real position");
    }
    lengths.push_back(end - marks);
  }
  return lengths;
}

}  // namespace

at::Tensor encode(const transformer::EncoderWeights& weights, const at::Tensor& read, const at::Tensor& mask) {
  if (mask.dim() != 2 || mask.scalar_type() != at::kBool || !mask.is_cpu()) {
    throw SearchError("the mask has shape " + to_string(mask.sizes()) + ", expected bool [B, S] on the CPU");
  }
  const std::vector<int64_t> lengths = lengths_of(mask);
  const int64_t rows = mask.sum().item<int64_t>(), size = weights.size();
  if (read.sizes() != at::IntArrayRef{rows, weights.input_size()} || read.scalar_type() != at::kFloat ||
      !read.is_cpu()) {
    throw SearchError("what the encoder reads has shape " + to_string(read.sizes()) + ", expected float32 [" +
                      std::to_string(rows) + ", " + std::to_string(weights.input_size()) + "] on the CPU");
  }
  const at::Tensor given = read.contiguous(), states = at::empty({rows, size}, at::kFloat);
  transformer::encode(weights, given.const_data_ptr<float>(), lengths, at::get_num_threads(),
                      states.mutable_data_ptr<float>());
  if (rows == mask.numel()) return states.view({mask.size(0), mask.size(1), size});
  const at::Tensor padded = at::zeros({mask.size(0), mask.size(1), size}, at::kFloat);
  const float* from = states.const_data_ptr<float>();
  float* to = padded.mutable_data_ptr<float>();
  for (const int64_t length : lengths) {
    std::copy_n(from, length * size, to);
    from += length * size;
    to += mask.size(1) * size;
  }
  return padded;
}

}  // namespace seq2seq_kit
