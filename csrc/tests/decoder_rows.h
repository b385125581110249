// What every native decoder promises: a row depends on its hypothesis and its source alone, wherever it is.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "check.h"
#include "random.h"

namespace seq2seq_kit::testing {

/// The logits of the one sentence of `decoder` that is fed `tokens`, one after the other.
template <typename Decoder>
std::vector<float> feed(Decoder& decoder, const std::vector<int64_t>& tokens, int64_t vocab) {
  decoder.start(1);
  std::vector<float> logits(vocab);
  const std::vector<int64_t> only{0};
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) decoder.select(only, only, 1);
    decoder.step(std::span(tokens).subspan(i, 1), 1, logits.data(), nullptr);
  }
  return logits;
}

/// Five steps of a decoder of `sentences`, a source of `width` positions each of which s % 4 are real: the logits of a
/// row are to the bit what `alone(sentence, tokens)` gives, and its attention adds up to one. Between two steps a
/// sentence leaves, and hypotheses are reordered and become more or fewer.
template <typename Decoder, typename Alone>
void check_rows(Decoder& decoder, std::vector<int64_t> sentences, int64_t width, int64_t vocab, Random random,
                const Alone& alone) {
  decoder.start(static_cast<int64_t>(sentences.size()));
  int64_t beams = 1;
  std::vector<std::vector<int64_t>> past(sentences.size());  // of each row
  for (int step = 0; step < 5; ++step) {
    std::vector<int64_t> tokens;
    for (auto& row : past) {
      row.push_back(random.uniform(0, vocab - 1));
      tokens.push_back(row.back());
    }
    const auto rows = static_cast<int64_t>(past.size());
    std::vector<float> logits(rows * vocab), attention(rows * width);
    decoder.step(tokens, 1 + step, logits.data(), attention.data());
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t sentence = sentences[row / beams];
      const std::vector<float> expected = alone(sentence, past[row]);
      float attended = 0;
      for (int64_t i = 0; i < vocab; ++i) CHECK(logits[row * vocab + i] == expected[i]);
      for (int64_t i = 0; i < width; ++i) attended += attention[row * width + i];
      CHECK(std::abs(attended - (sentence % 4 > 0 ? 1.0f : 0.0f)) < 1e-5f);
    }

    std::vector<int64_t> survivors, chosen, left;
    const auto gone = random.uniform(0, static_cast<int64_t>(sentences.size()));
    for (int64_t b = 0; b < static_cast<int64_t>(sentences.size()); ++b) {
      if (b != gone || sentences.size() == 1) survivors.push_back(b);
    }
    std::vector<std::vector<int64_t>> next;
    const int64_t wider = random.uniform(1, 4);
    for (const int64_t b : survivors) {
      left.push_back(sentences[b]);
      for (int64_t k = 0; k < wider; ++k) {
        chosen.push_back(b * beams + random.uniform(0, beams - 1));
        next.push_back(past[chosen.back()]);
      }
    }
    decoder.select(survivors, chosen, wider);
    sentences = std::move(left);
    past = std::move(next);
    beams = wider;
  }
}

}  // namespace seq2seq_kit::testing
