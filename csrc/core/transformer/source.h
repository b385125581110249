// What a Transformer decoder looks up: the memory of a batch, projected once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/real_positions.h"
#include "core/transformer/weights.h"

namespace seq2seq_kit::transformer {

/// Keys and values of the real positions of each sentence, for every layer. Padding is not kept, and a sentence that
/// leaves the batch moves nothing. Immutable.
class Source {
 public:
  /// `states` [B, S', size of the memory], `real` [B, S'].
  Source(const Weights& weights, const float* states, std::span<const bool> real, int64_t batch);

  int64_t batch() const { return real_.batch(); }

  /// S', padding counted.
  int64_t width() const { return real_.width(); }

  /// The positions of a sentence in S', ascending.
  std::span<const int32_t> positions(int64_t sentence) const { return real_.of(sentence); }

  /// Its keys and values in a layer, as one head sees them.
  kernels::Positions head(int64_t sentence, int64_t layer, int64_t head) const;

 private:
  RealPositions real_;
  kernels::Kept kept_;
  int64_t head_words_, stride_;  // of a head's key; of a position
  /// Of each layer, sentence by sentence [heads, 2, real positions, head_words]: in the order in which they are read.
  std::vector<std::vector<uint32_t>> layers_;
};

}  // namespace seq2seq_kit::transformer
