#include "core/transformer/source.h"

namespace seq2seq_kit::transformer {

Source::Source(const Weights& weights, const float* states, std::span<const bool> real, int64_t batch)
    : real_(real, batch), stride_(weights.layers.front().source_attention->key_value.outputs()) {
  const int64_t size = weights.layers.front().source_attention->key_value.inputs();
  const std::vector<float> kept = real_.gather(states, size);
  for (const Layer& layer : weights.layers) {
    layers_.emplace_back(real_.count() * stride_);
    kernels::multiply(layer.source_attention->key_value, kept.data(), real_.count(), size, layers_.back().data(),
                      stride_);
  }
}

}  // namespace seq2seq_kit::transformer
