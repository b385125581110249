// The Transformer decoder where it is seldom: long targets, sources of all lengths, no sentence at all, and numbers
// that are tiny, huge or none. On every instruction set.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "check.h"
#include "core/kernels/isa.h"
#include "core/transformer/decoder.h"
#include "random.h"
#include "tiny_transformer.h"

using namespace seq2seq_kit;
using namespace seq2seq_kit::transformer;
using namespace seq2seq_kit::transformer::testing;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

bool same_bits(const float* a, const float* b, int64_t count) { return std::memcmp(a, b, count * sizeof(float)) == 0; }

/// The embedding of a token, to be written to.
float* embedding_of(Weights& weights, int64_t token) {
  return const_cast<float*>(weights.embedding) + token * weights.size();
}

void test_long_targets() {
  constexpr int64_t kLong = 1000, kBeams = 3;
  const auto shared = weights(true, Precision::fp32);
  shared->positions.learned.clear();
  for (int64_t i = 0; i < (kSize + 1) / 2; ++i) {
    shared->positions.sinusoidal.push_back(std::pow(10.0f, -0.5f * static_cast<float>(i)));
  }
  Random random(4);
  const std::vector<int64_t> sentences{2, 7};
  Decoder decoder(shared, source_of(*shared, sentences, 3));
  decoder.start(2);
  std::vector<std::vector<int64_t>> past(2);
  std::vector<float> logits(2 * kBeams * kVocab);
  const std::vector<int64_t> both{0, 1};
  for (int64_t t = 0; t < kLong; ++t) {
    std::vector<int64_t> tokens;
    for (auto& row : past) {
      row.push_back(random.uniform(0, kVocab - 1));
      tokens.push_back(row.back());
    }
    decoder.step(tokens, 2, logits.data(), nullptr);
    if (t == kLong - 1) break;
    const auto beams = static_cast<int64_t>(past.size()) / 2;
    std::vector<int64_t> parents;
    std::vector<std::vector<int64_t>> next;
    for (int64_t row = 0; row < 2 * kBeams; ++row) {
      parents.push_back(row / kBeams * beams + random.uniform(0, beams - 1));
      next.push_back(past[parents.back()]);
    }
    decoder.select(both, parents, kBeams);
    past = std::move(next);
  }
  for (const int64_t row : {0, 5}) {
    const auto expected = alone(shared, sentences[row / kBeams], past[row]);
    CHECK(same_bits(logits.data() + row * kVocab, expected.data(), kVocab));
  }
}

void test_sources_of_one_to_500_tokens(Precision precision) {
  constexpr int64_t kLongest = 499, kCount = 60;
  const auto shared = weights(true, precision);
  Random random(5);
  std::vector<int64_t> sentences{1, kLongest}, tokens;
  while (static_cast<int64_t>(sentences.size()) < kCount) sentences.push_back(random.uniform(1, kLongest));
  for (int64_t i = 0; i < kCount; ++i) tokens.push_back(random.uniform(0, kVocab - 1));
  Decoder decoder(shared, source_of(*shared, sentences, kLongest, kLongest));
  decoder.start(kCount);
  std::vector<float> logits(kCount * kVocab), attention(kCount * kLongest);
  decoder.step(tokens, 3, logits.data(), attention.data());
  for (int64_t b = 0; b < kCount; ++b) {
    const auto expected = alone(shared, sentences[b], {tokens[b]}, kLongest);
    CHECK(same_bits(logits.data() + b * kVocab, expected.data(), kVocab));
    const float* attended = attention.data() + b * kLongest;
    double sum = 0;
    for (int64_t i = 0; i < kLongest; ++i) sum += attended[i];
    CHECK(std::abs(sum - 1) < 1e-4);
    for (int64_t i = sentences[b]; i < kLongest; ++i) CHECK(attended[i] == 0);
  }
}

void test_a_batch_of_nothing(Precision precision) {
  const auto shared = weights(true, precision);
  Decoder decoder(shared, source_of(*shared, {}, 3));
  decoder.start(0);
  for (int step = 0; step < 3; ++step) {
    decoder.step({}, 4, nullptr, nullptr);
    decoder.step_top({}, 4, {2, nullptr, nullptr, nullptr, {}, nullptr}, nullptr);
    decoder.select({}, {}, 5);
  }
}

/// Numbers of one row that are none stay in it, and what is chosen of it are tokens.
void test_numbers_that_are_not_finite_stay_in_their_row(Precision precision) {
  const std::vector<int64_t> tokens{4, 5, 6}, asked{0};
  for (const float wild : {kNaN, kInfinity, -kInfinity, 3e38f}) {
    std::vector<float> logits[2], sums[2];
    for (const bool changed : {false, true}) {
      const auto shared = weights(true, precision);
      if (changed) embedding_of(*shared, 5)[3] = wild;
      Decoder decoder(shared, source_of(*shared, {1, 2, 3}, 3));
      decoder.start(3);
      logits[changed].resize(3 * kVocab);
      decoder.step(tokens, 1, logits[changed].data(), nullptr);
      Decoder top(shared, source_of(*shared, {1, 2, 3}, 3));
      top.start(3);
      std::vector<float> scores(3 * kVocab), asked_scores(3);
      std::vector<int64_t> best(3 * kVocab);
      sums[changed].resize(3);
      top.step_top(tokens, 1, {kVocab, scores.data(), best.data(), sums[changed].data(), asked, asked_scores.data()},
                   nullptr);
      for (int64_t row = 0; row < 3; ++row) {  // as many as there are: each token once
        std::sort(best.begin() + row * kVocab, best.begin() + (row + 1) * kVocab);
        for (int64_t i = 0; i < kVocab; ++i) CHECK(best[row * kVocab + i] == i);
      }
    }
    CHECK(std::isnan(sums[true][1]) && std::isfinite(sums[true][0]) && std::isfinite(sums[true][2]));
    for (const int64_t row : {0, 2}) {
      CHECK(same_bits(logits[0].data() + row * kVocab, logits[1].data() + row * kVocab, kVocab));
    }
  }
}

void test_denormal_numbers(Precision precision) {
  const auto shared = weights(true, precision);
  for (int64_t i = 0; i < kSize; ++i) embedding_of(*shared, 2)[i] = i % 2 ? 1e-40f : -1e-42f;
  const auto logits = alone(shared, 3, {2, 2, 2});
  for (const float x : logits) CHECK(std::isfinite(x));
}

}  // namespace

int main() {
  for (int isa = 0; isa <= static_cast<int>(kernels::best_isa()); ++isa) {
    kernels::use_isa(static_cast<kernels::Isa>(isa));
    for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
      test_sources_of_one_to_500_tokens(precision);
      test_a_batch_of_nothing(precision);
      test_numbers_that_are_not_finite_stay_in_their_row(precision);
      test_denormal_numbers(precision);
    }
  }
  test_long_targets();
}
