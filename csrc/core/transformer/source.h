// What a Transformer decoder looks up: the memory of a batch, projected once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/transformer/weights.h"

namespace seq2seq_kit::transformer {

/// Keys and values of the real positions of each sentence, for every layer. Padding is not kept, and a sentence that
/// leaves the batch moves nothing. Immutable.
class Source {
 public:
  /// `states` [B, S', size of the memory], `real` [B, S'].
  Source(const Weights& weights, const float* states, std::span<const bool> real, int64_t batch);

  int64_t batch() const { return static_cast<int64_t>(begins_.size()) - 1; }

  /// S', padding counted.
  int64_t width() const { return width_; }

  /// The positions of a sentence in S', ascending.
  std::span<const int32_t> positions(int64_t sentence) const {
    return std::span(positions_).subspan(begins_[sentence], begins_[sentence + 1] - begins_[sentence]);
  }

  /// Its first key in a layer; its values lie `A` further, and the next position `stride()`.
  const float* keys(int64_t sentence, int64_t layer) const {
    return cells_.data() + begins_[sentence] * stride_ + layers_[layer];
  }
  int64_t stride() const { return stride_; }

 private:
  int64_t width_;
  int64_t stride_ = 0;              // of a position: keys and values [2, A] of all layers
  std::vector<int64_t> layers_;     // where in a position each begins
  std::vector<int64_t> begins_;     // [B + 1]
  std::vector<int32_t> positions_;  // [real positions]
  std::vector<float> cells_;        // [real positions, stride]
};

}  // namespace seq2seq_kit::transformer
