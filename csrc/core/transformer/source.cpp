#include "core/transformer/source.h"

namespace seq2seq_kit::transformer {

Source::Source(const Weights& weights, const float* states, std::span<const bool> real, int64_t batch)
    : width_(batch == 0 ? 0 : static_cast<int64_t>(real.size()) / batch),
      stride_(weights.layers.front().source_attention->key_value.outputs()),
      begins_{0} {
  const int64_t size = weights.layers.front().source_attention->key_value.inputs();
  std::vector<float> kept;  // [real positions, size]: rows of a product have the same result whatever lies beside them
  for (int64_t sentence = 0; sentence < batch; ++sentence) {
    for (int64_t position = 0; position < width_; ++position) {
      const int64_t row = sentence * width_ + position;
      if (!real[row]) continue;
      positions_.push_back(static_cast<int32_t>(position));
      kept.insert(kept.end(), states + row * size, states + (row + 1) * size);
    }
    begins_.push_back(static_cast<int64_t>(positions_.size()));
  }
  const auto count = static_cast<int64_t>(positions_.size());
  for (const Layer& layer : weights.layers) {
    layers_.emplace_back(count * stride_);
    kernels::multiply(layer.source_attention->key_value, kept.data(), count, size, layers_.back().data(), stride_);
  }
}

}  // namespace seq2seq_kit::transformer
