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

using namespace seq2seq_kit;
using namespace seq2seq_kit::transformer;
using kernels::PackedMatrix;
using kernels::Precision;

namespace {

// Sizes of no instruction set: the ends of rows are walked too.
constexpr int64_t kSize = 18, kHeads = 3, kGroups = 1, kHeadSize = 7, kHidden = 23, kVocab = 13, kStates = 5;

std::vector<float> numbers(Random& random, int64_t count) {
  std::vector<float> row = random.row(count, false, 0);
  for (float& x : row) x *= 0.1f;
  return row;
}

PackedMatrix matrix(Random& random, int64_t outputs, int64_t inputs, Precision precision) {
  return {numbers(random, outputs * inputs).data(), numbers(random, outputs).data(), outputs, inputs, precision};
}

Norm norm(Random& random, bool by_root_mean_square) {
  return {numbers(random, kSize), by_root_mean_square ? std::vector<float>() : numbers(random, kSize), 1e-5f};
}

/// Weights with most options that there are.
std::shared_ptr<Weights> weights(bool reads_source, Precision precision) {
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

/// Sources of the given lengths, each of its own numbers whatever the batch, NaN in the padding.
std::shared_ptr<Source> source_of(const Weights& weights, const std::vector<int64_t>& sentences, int64_t width) {
  const auto batch = static_cast<int64_t>(sentences.size());
  std::vector<float> states;
  const Marks real(new bool[batch * width]);
  for (int64_t b = 0; b < batch; ++b) {
    Random random(static_cast<uint32_t>(sentences[b]));
    const int64_t length = sentences[b] % 4;  // 0 to 3
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
std::vector<float> alone(const std::shared_ptr<Weights>& weights, int64_t sentence,
                         const std::vector<int64_t>& tokens) {
  Decoder decoder(weights, source_of(*weights, {sentence}, 3));
  decoder.start(1);
  std::vector<float> logits(kVocab);
  const std::vector<int64_t> only{0};
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) decoder.select(only, only, 1);
    decoder.step(std::span(tokens).subspan(i, 1), 1, logits.data(), nullptr);
  }
  return logits;
}

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
