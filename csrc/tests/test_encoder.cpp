// The Transformer encoder: a sentence's states are its own, whatever is read with it and on however many threads.
#include <cmath>
#include <optional>
#include <vector>

#include "check.h"
#include "core/transformer/encoder.h"
#include "random.h"
#include "seq2seq_kit/errors.h"
#include "small_weights.h"

using namespace seq2seq_kit;
using namespace seq2seq_kit::transformer;
using kernels::Precision;
using seq2seq_kit::testing::matrix;
using seq2seq_kit::testing::numbers;

namespace {

// Sizes of no instruction set: the ends of rows are walked too.
constexpr int64_t kSize = 18, kHeads = 4, kGroups = 2, kHeadSize = 6, kHidden = 23, kFeatures = 5;

enum class Kind { none, learned, rotary, slopes, biases, distances };

Norm norm(Random& random) { return {numbers(random, kSize), numbers(random, kSize), 1e-5f}; }

EncoderWeights weights(Kind kind, bool pre_norm, Precision precision) {
  Random random(1);
  Positions positions{};
  if (kind == Kind::learned) positions.learned = numbers(random, 200 * kSize);
  if (kind == Kind::rotary) positions.rotary = {1, 0.1f, 0.01f};
  if (kind == Kind::slopes) positions.slopes = numbers(random, kHeads);
  if (kind == Kind::biases) positions.biases = numbers(random, 7 * kHeads);
  std::vector<Layer> layers;
  for (int i = 0; i < 2; ++i) {
    std::vector<float> keys, values;
    if (kind == Kind::distances) {
      keys = numbers(random, 5 * kHeadSize);
      values = numbers(random, 5 * kHeadSize);
    }
    layers.push_back({norm(random),
                      {kHeads, kGroups, 0.4f, matrix(random, (kHeads + 2 * kGroups) * kHeadSize, kSize, precision),
                       matrix(random, kSize, kHeads * kHeadSize, precision), std::move(keys), std::move(values)},
                      std::nullopt,
                      std::nullopt,
                      norm(random),
                      {kernels::Activation::silu, matrix(random, kHidden, kSize, precision),
                       matrix(random, kHidden, kSize, precision), matrix(random, kSize, kHidden, precision)}});
  }
  return {pre_norm,     std::move(positions), matrix(random, kSize, kFeatures, precision),
          norm(random), std::move(layers),    norm(random)};
}

/// The features of a sentence, in memory of exactly their size.
std::vector<float> sentence(int64_t length) {
  Random random(static_cast<uint32_t>(length));
  return random.row(length * kFeatures, false, 0);
}

std::vector<float> read(const EncoderWeights& weights, const std::vector<int64_t>& lengths, int64_t threads) {
  std::vector<float> given;
  for (const int64_t length : lengths) {
    const std::vector<float> features = sentence(length);
    given.insert(given.end(), features.begin(), features.end());
  }
  std::vector<float> states(given.size() / kFeatures * kSize);
  encode(weights, given.data(), lengths, threads, states.data());
  return states;
}

void test_a_sentence_is_what_it_is_alone(Kind kind, bool pre_norm, Precision precision) {
  const EncoderWeights shared = weights(kind, pre_norm, precision);
  const std::vector<int64_t> lengths{3, 0, 150, 1, 33, 16, 0};
  std::vector<float> expected;
  for (const int64_t length : lengths) {
    const std::vector<float> states = read(shared, {length}, 1);
    for (const float x : states) CHECK(std::isfinite(x));
    expected.insert(expected.end(), states.begin(), states.end());
  }
  for (const int64_t threads : {0, 1, 2, 7}) CHECK(read(shared, lengths, threads) == expected);
}

void test_nothing_to_read() {
  const EncoderWeights shared = weights(Kind::slopes, true, Precision::fp32);
  CHECK(read(shared, {}, 2).empty());
  CHECK(read(shared, {0, 0}, 2).empty());
}

void test_more_than_there_are_learned_positions() {
  const EncoderWeights shared = weights(Kind::learned, true, Precision::fp32);
  CHECK(read(shared, {200}, 1).size() == 200 * kSize);
  CHECK(throws<SearchError>([&] { read(shared, {3, 201}, 1); }));
}

}  // namespace

int main() {
  for (const Kind kind : {Kind::none, Kind::learned, Kind::rotary, Kind::slopes, Kind::biases, Kind::distances}) {
    for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
      for (const bool pre_norm : {false, true}) test_a_sentence_is_what_it_is_alone(kind, pre_norm, precision);
    }
  }
  test_nothing_to_read();
  test_more_than_there_are_learned_positions();
}
