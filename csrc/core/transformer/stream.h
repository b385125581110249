// What runs through the layers of a Transformer: each sublayer reads it, and adds what it gives.
#pragma once

#include <cstdint>
#include <vector>

#include "core/transformer/weights.h"

namespace seq2seq_kit::transformer {

/// Room for at least `count` numbers.
inline float* room(std::vector<float>& buffer, int64_t count) {
  if (static_cast<int64_t>(buffer.size()) < count) buffer.resize(count);
  return buffer.data();
}

/// The rows that one thread works on. A sublayer reads what `enter` gives, calls `add`, then `leave`. Keeps its buffers
/// from rows to rows.
class Stream {
 public:
  /// Takes up `x` [rows, size], which stays the caller's.
  void begin(float* x, int64_t rows, int64_t size, bool pre_norm);

  int64_t rows() const { return rows_; }

  /// What a sublayer reads, [rows, size].
  const float* enter(const Norm& norm);

  /// x += matrix · `inputs` [rows, inputs of the matrix]
  void add(const kernels::PackedMatrix& matrix, const float* inputs);

  /// What becomes of the sum.
  void leave(const Norm& norm);

  /// A whole sublayer.
  void feed_forward(const Layer& layer);

 private:
  float* x_ = nullptr;
  int64_t rows_ = 0, size_ = 0;
  bool pre_norm_ = true;
  std::vector<float> normed_;         // [rows, size]
  std::vector<float> hidden_, gate_;  // [rows, F]
};

}  // namespace seq2seq_kit::transformer
