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
  const int64_t heads = first.heads;
  head_words_ = kernels::words_of(kept_, head_size);
  stride_ = first.words(kept_);
  const std::vector<float> gathered = real_.gather(states, size);
  std::vector<float> projected(std::min(kRows, real_.count()) * width);
  for (const Layer& layer : weights.layers) {
    uint32_t* const words = layers_.emplace_back(real_.count() * stride_).data();
    int64_t sentence = 0;
    for (int64_t row = 0; row < real_.count(); row += kRows) {
      const int64_t rows = std::min(kRows, real_.count() - row);
      kernels::multiply(layer.source_attention->key_value, gathered.data() + row * size, rows, size, projected.data(),
                        width);
      const float* vector = projected.data();
      for (int64_t i = row; i < row + rows; ++i) {
        while (i >= real_.begin(sentence + 1)) ++sentence;
        const int64_t begin = real_.begin(sentence), count = real_.begin(sentence + 1) - begin;
        for (int64_t j = 0; j < 2 * heads; ++j, vector += head_size) {  // keys of all heads, then values
          const int64_t place = (j % heads * 2 + j / heads) * count + i - begin;
          kernels::keep(kept_, vector, head_size, words + begin * stride_ + place * head_words_);
        }
      }
    }
  }
}

kernels::Positions Source::head(int64_t sentence, int64_t layer, int64_t head) const {
  const auto count = static_cast<int64_t>(real_.of(sentence).size());
  const uint32_t* keys = layers_[layer].data() + real_.begin(sentence) * stride_ + head * 2 * count * head_words_;
  return {keys, keys + count * head_words_, head_words_, nullptr, count, kept_};
}

}  // namespace seq2seq_kit::transformer
