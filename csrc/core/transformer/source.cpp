#include "core/transformer/source.h"

#include <algorithm>

namespace seq2seq_kit::transformer {
namespace {

constexpr int64_t kRows = 96;  // projected at a time

}  // namespace

Source::Source(const Weights& weights, const float* states, std::span<const bool> real, int64_t batch)
    : real_(real, batch), kept_(weights.kept()) {
  const SourceAttention& first = *weights.layers.front().source_attention;
  const int64_t size = first.key_value.inputs(), width = first.key_value.outputs(), head_size = first.head_size();
  head_words_ = kernels::words_of(kept_, head_size);
  stride_ = first.words(kept_);
  const std::vector<float> gathered = real_.gather(states, size);
  std::vector<float> projected(std::min(kRows, real_.count()) * width);
  for (const Layer& layer : weights.layers) {
    uint32_t* words = layers_.emplace_back(real_.count() * stride_).data();
    for (int64_t row = 0; row < real_.count(); row += kRows) {
      const int64_t rows = std::min(kRows, real_.count() - row);
      kernels::multiply(layer.source_attention->key_value, gathered.data() + row * size, rows, size, projected.data(),
                        width);
      for (int64_t at = 0; at < rows * width; at += head_size, words += head_words_) {
        kernels::keep(kept_, projected.data() + at, head_size, words);
      }
    }
  }
}

kernels::Positions Source::head(int64_t sentence, int64_t layer, int64_t head) const {
  const uint32_t* keys = layers_[layer].data() + real_.begin(sentence) * stride_ + head * head_words_;
  const auto count = static_cast<int64_t>(real_.of(sentence).size());
  return {keys, keys + stride_ / 2, stride_, nullptr, count, kept_};
}

}  // namespace seq2seq_kit::transformer
