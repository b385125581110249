// The positions of a padded batch that hold something.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace seq2seq_kit {

/// Rows of a batch, sentence by sentence, with the padding left out.
class RealPositions {
 public:
  /// `real` [batch, S'].
  RealPositions(std::span<const bool> real, int64_t batch);

  int64_t batch() const { return static_cast<int64_t>(begins_.size()) - 1; }

  /// S', padding counted.
  int64_t width() const { return width_; }

  /// Of all sentences.
  int64_t count() const { return static_cast<int64_t>(positions_.size()); }

  /// The number of a sentence's first row.
  int64_t begin(int64_t sentence) const { return begins_[sentence]; }

  /// The positions of a sentence in S', ascending.
  std::span<const int32_t> of(int64_t sentence) const {
    return std::span(positions_).subspan(begins_[sentence], begins_[sentence + 1] - begins_[sentence]);
  }

  /// `states` [batch, S', size] without the padding: [count, size].
  std::vector<float> gather(const float* states, int64_t size) const;

 private:
  int64_t width_;
  std::vector<int64_t> begins_;     // [batch + 1]
  std::vector<int32_t> positions_;  // [count]
};

}  // namespace seq2seq_kit
