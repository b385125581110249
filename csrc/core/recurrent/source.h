// What a recurrent decoder is told of a batch of sources, computed once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/real_positions.h"
#include "core/recurrent/weights.h"

namespace seq2seq_kit::recurrent {

/// A memory as the decoder is given it.
struct Memory {
  const float* states;         // [B, S', M]; null where the decoder reads none
  std::span<const bool> real;  // [B, S']
  int64_t batch;               // B

  /// The final state of an encoder's layers; null where the decoder does not begin with it.
  struct Final {
    const float* layers = nullptr;  // [B, count, size]
    int64_t count = 0, size = 0;
  };
  Final h, c;
};

/// The states to begin with, and the keys and values of the real positions of each sentence. Padding is not kept, and a
/// sentence that leaves the batch moves nothing. Immutable.
class Source {
 public:
  Source(const Weights& weights, const Memory& memory);

  int64_t batch() const { return real_.batch(); }

  /// S', padding counted.
  int64_t width() const { return real_.width(); }

  /// [B, of `StateLayout`]
  const std::vector<float>& start() const { return start_; }

  /// The positions of a sentence in S', ascending.
  std::span<const int32_t> positions(int64_t sentence) const { return real_.of(sentence); }

  /// Its keys, and its values `values_offset` behind them: [positions, stride].
  const float* keys(int64_t sentence) const { return looked_up_.data() + real_.begin(sentence) * stride_; }
  int64_t values_offset() const { return values_offset_; }
  int64_t stride() const { return stride_; }

 private:
  void project(const Weights& weights, const std::vector<float>& states);
  void begin(const Weights& weights, const Memory& memory, const std::vector<float>& states);

  RealPositions real_;
  std::vector<float> start_;
  std::vector<float> looked_up_;  // [real positions, stride]
  int64_t values_offset_ = 0, stride_ = 0;
};

}  // namespace seq2seq_kit::recurrent
