// A padded batch as rows without the padding, for native encoders.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace seq2seq_kit {

/// The real positions of sentences, one after the other; checked.
class SentenceRows {
 public:
  /// `rows` [positions, size] float32 on the CPU, and `mask` [B, S] bool, True at real positions and right-padded.
  /// Throws a SearchError where they are otherwise.
  SentenceRows(const at::Tensor& rows, const at::Tensor& mask, int64_t size);

  const float* rows() const { return rows_.const_data_ptr<float>(); }
  const std::vector<int64_t>& lengths() const { return lengths_; }
  int64_t batch() const { return static_cast<int64_t>(lengths_.size()); }
  int64_t positions() const { return rows_.size(0); }

  /// `states` [positions, size] with zeros in the place of padding, [B, S, size].
  at::Tensor padded(const at::Tensor& states) const;

 private:
  at::Tensor rows_;
  std::vector<int64_t> lengths_;  // [B]
  int64_t width_;                 // S
};

}  // namespace seq2seq_kit
