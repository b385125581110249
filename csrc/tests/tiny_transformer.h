// A Transformer decoder with most options that there are, of sizes of no instruction set, and sources for it.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/transformer/decoder.h"
#include "decoder_rows.h"
#include "random.h"
#include "small_weights.h"

namespace seq2seq_kit::transformer::testing {

using kernels::Precision;
using seq2seq_kit::testing::feed;
using seq2seq_kit::testing::matrix;
using seq2seq_kit::testing::numbers;

inline constexpr int64_t kSize = 18, kHeads = 3, kGroups = 1, kHeadSize = 7, kHidden = 23, kVocab = 13, kStates = 5;

inline Norm norm(Random& random, bool by_root_mean_square) {
  return {numbers(random, kSize), by_root_mean_square ? std::vector<float>() : numbers(random, kSize), 1e-5f};
}

/// Weights with most options that there are.
inline std::shared_ptr<Weights> weights(bool reads_source, Precision precision) {
  Random random(1);
  std::vector<Layer> layers;
  for (int i = 0; i < 2; ++i) {
    std::optional<SourceAttention> source;
    std::optional<Norm> source_norm;
    if (reads_source) {
      source = SourceAttention{2, 0.5f, matrix(random, 8, kSize, precision), matrix(random, 16, kStates, precision),
                               matrix(random, kSize, 8, precision)};
      source_norm = norm(random, true);
    }
    const int64_t width = (kHeads + 2 * kGroups) * kHeadSize;
    layers.push_back({norm(random, false),
                      {kHeads, kGroups, 0.4f, matrix(random, width, kSize, precision),
                       matrix(random, kSize, kHeads * kHeadSize, precision), numbers(random, 3 * kHeadSize),
                       numbers(random, 3 * kHeadSize)},
                      std::move(source_norm),
                      std::move(source),
                      norm(random, false),
                      {kernels::Activation::silu, matrix(random, kHidden, kSize, precision),
                       matrix(random, kHidden, kSize, precision), matrix(random, kSize, kHidden, precision)}});
  }
  const auto embedding = std::make_shared<std::vector<float>>(numbers(random, kVocab * kSize));
  Positions positions{};
  positions.learned = numbers(random, 6 * kSize);
  return std::make_shared<Weights>(Weights{true, 1, std::move(positions), 2, embedding->data(), embedding,
                                           norm(random, false), std::move(layers), norm(random, true), 3,
                                           matrix(random, kVocab, kSize, precision)});
}

using Marks = std::unique_ptr<bool[]>;

/// Sources, each of its own numbers whatever the batch and of a length from 0 to `longest`; NaN in the padding.
inline std::shared_ptr<Source> source_of(const Weights& weights, const std::vector<int64_t>& sentences, int64_t width,
                                         int64_t longest = 3) {
  const auto batch = static_cast<int64_t>(sentences.size());
  std::vector<float> states;
  const Marks real(new bool[batch * width]);
  for (int64_t b = 0; b < batch; ++b) {
    Random random(static_cast<uint32_t>(sentences[b]));
    const int64_t length = sentences[b] % (longest + 1);
    for (int64_t position = 0; position < width; ++position) {
      real[b * width + position] = position < length;
      for (const float x : random.row(kStates, false, 0)) {
        states.push_back(position < length ? x : std::numeric_limits<float>::quiet_NaN());
      }
    }
  }
  return std::make_shared<Source>(weights, states.data(), std::span<const bool>(real.get(), batch * width), batch);
}

/// The logits of a sentence alone that is fed `tokens`, one after the other.
inline std::vector<float> alone(const std::shared_ptr<Weights>& weights, int64_t sentence,
                                const std::vector<int64_t>& tokens, int64_t longest = 3) {
  Decoder decoder(weights, source_of(*weights, {sentence}, longest, longest));
  return feed(decoder, tokens, weights->vocab());
}

}  // namespace seq2seq_kit::transformer::testing
