#include "torch/sentence_rows.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <string>

#include "seq2seq_kit/errors.h"
#include "torch/tensors.h"

namespace seq2seq_kit {

SentenceRows::SentenceRows(const at::Tensor& rows, const at::Tensor& mask, int64_t size) : rows_(rows.contiguous()) {
  if (mask.dim() != 2 || mask.scalar_type() != at::kBool || !mask.is_cpu()) {
    throw SearchError("the mask has shape " + to_string(mask.sizes()) + ", expected bool [B, S] on the CPU");
  }
  width_ = mask.size(1);
  const at::Tensor real = mask.contiguous();
  int64_t positions = 0;
  for (int64_t sentence = 0; sentence < real.size(0); ++sentence) {
    const bool* marks = real.const_data_ptr<bool>() + sentence * width_;
    const bool* end = std::find(marks, marks + width_, false);
    if (std::find(end, marks + width_, true) != marks + width_) {
      throw SearchError("sentence " + std::to_string(sentence) + ": padding comes before a real position");
    }
    lengths_.push_back(end - marks);
    positions += lengths_.back();
  }
  if (rows.sizes() != at::IntArrayRef{positions, size} || rows.scalar_type() != at::kFloat || !rows.is_cpu()) {
    throw SearchError("what the encoder reads has shape " + to_string(rows.sizes()) + ", expected float32 [" +
                      std::to_string(positions) + ", " + std::to_string(size) + "] on the CPU");
  }
}

at::Tensor SentenceRows::padded(const at::Tensor& states) const {
  const int64_t size = states.size(1);
  if (positions() == batch() * width_) return states.view({batch(), width_, size});
  const at::Tensor padded = at::zeros({batch(), width_, size}, at::kFloat);
  const float* from = states.const_data_ptr<float>();
  float* to = padded.mutable_data_ptr<float>();
  for (const int64_t length : lengths_) {
    std::copy_n(from, length * size, to);
    from += length * size;
    to += width_ * size;
  }
  return padded;
}

}  // namespace seq2seq_kit
