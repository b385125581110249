// The Transformer decoder: what it computes depends on a hypothesis and its source alone, and is bounded by its memory.
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "check.h"
#include "core/transformer/decoder.h"
#include "random.h"
#include "seq2seq_kit/errors.h"
#include "tiny_transformer.h"

using namespace seq2seq_kit;
using namespace seq2seq_kit::transformer;
using namespace seq2seq_kit::transformer::testing;

namespace {

void test_rows_are_what_they_are_alone_wherever_they_are(Precision precision) {
  const auto shared = weights(true, precision);
  Random random(2);
  std::vector<int64_t> sentences{4, 1, 2, 3, 7};
  Decoder decoder(shared, source_of(*shared, sentences, 5));
  decoder.start(static_cast<int64_t>(sentences.size()));
  int64_t beams = 1;
  std::vector<std::vector<int64_t>> past(sentences.size());  // of each row
  for (int step = 0; step < 5; ++step) {
    std::vector<int64_t> tokens;
    for (auto& row : past) {
      row.push_back(random.uniform(0, kVocab - 1));
      tokens.push_back(row.back());
    }
    const auto rows = static_cast<int64_t>(past.size());
    std::vector<float> logits(rows * kVocab), attention(rows * 5);
    decoder.step(tokens, 1 + step, logits.data(), attention.data());
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t sentence = sentences[row / beams];
      const std::vector<float> expected = alone(shared, sentence, past[row]);
      float attended = 0;
      for (int64_t i = 0; i < kVocab; ++i) CHECK(logits[row * kVocab + i] == expected[i]);
      for (int64_t i = 0; i < 5; ++i) attended += attention[row * 5 + i];
      CHECK(std::abs(attended - (sentence % 4 > 0 ? 1.0f : 0.0f)) < 1e-5f);
    }

    std::vector<int64_t> survivors, chosen, left;  // a sentence leaves, hypotheses are reordered and widened
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
    sentences = left;
    past = next;
    beams = wider;
  }
}

void test_the_best_tokens_are_those_of_all_logits(Precision precision) {
  const auto shared = weights(true, precision);
  Decoder full(shared, source_of(*shared, {1, 2}, 3)), top(shared, source_of(*shared, {1, 2}, 3));
  full.start(2);
  top.start(2);
  const std::vector<int64_t> tokens{3, 4}, asked{kVocab - 1, 0};
  std::vector<float> logits(2 * kVocab), scores(2 * 4), sums(2), found(2 * 2);
  std::vector<int64_t> best(2 * 4);
  full.step(tokens, 2, logits.data(), nullptr);
  top.step_top(tokens, 2, {4, scores.data(), best.data(), sums.data(), asked, found.data()}, nullptr);
  for (int row = 0; row < 2; ++row) {
    const float* all = logits.data() + row * kVocab;
    double sum = 0;
    for (int64_t i = 0; i < kVocab; ++i) sum += std::exp(all[i]);
    CHECK(std::abs(sums[row] - std::log(sum)) < 1e-5);
    for (int i = 0; i < 4; ++i) {
      CHECK(scores[row * 4 + i] == all[best[row * 4 + i]]);
      CHECK(i == 0 || scores[row * 4 + i - 1] >= scores[row * 4 + i]);
    }
    for (int i = 0; i < 2; ++i) CHECK(found[row * 2 + i] == all[asked[i]]);
  }
}

void test_a_language_model_and_its_last_position() {
  const auto shared = weights(false, Precision::fp32);
  Decoder decoder(shared, nullptr);
  decoder.start(2);
  const std::vector<int64_t> tokens{1, 2}, both{0, 1};
  std::vector<float> logits(2 * kVocab);
  for (int step = 0; step < 6; ++step) {
    decoder.step(tokens, 1, logits.data(), nullptr);
    decoder.select(both, both, 1);
  }
  bool refused = false;
  try {
    decoder.step(tokens, 1, logits.data(), nullptr);
  } catch (const SearchError&) {
    refused = true;
  }
  CHECK(refused);
}

void test_a_token_that_there_is_not_is_refused() {
  const auto shared = weights(false, Precision::fp32);
  for (const int64_t token : {int64_t{-1}, kVocab}) {
    Decoder decoder(shared, nullptr);
    decoder.start(1);
    std::vector<float> logits(kVocab);
    bool refused = false;
    try {
      decoder.step(std::vector<int64_t>{token}, 1, logits.data(), nullptr);
    } catch (const SearchError&) {
      refused = true;
    }
    CHECK(refused);
  }
}

}  // namespace

int main() {
  for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
    test_rows_are_what_they_are_alone_wherever_they_are(precision);
    test_the_best_tokens_are_those_of_all_logits(precision);
  }
  test_a_language_model_and_its_last_position();
  test_a_token_that_there_is_not_is_refused();
}
