#include "core/transformer/source.h"

#include <algorithm>

namespace seq2seq_kit::transformer {

Source::Source(const Weights& weights, const float* states, std::span<const bool> real, int64_t batch)
    : width_(batch == 0 ? 0 : static_cast<int64_t>(real.size()) / batch), begins_{0} {
  for (const Layer& layer : weights.layers) {
    layers_.push_back(stride_);
    stride_ += layer.source_attention->key_value.outputs();
  }
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
  cells_.resize(count * stride_);
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    kernels::multiply(weights.layers[i].source_attention->key_value, kept.data(), count, size,
                      cells_.data() + layers_[i], stride_);
  }
}

}  // namespace seq2seq_kit::transformer
