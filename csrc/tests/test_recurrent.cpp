// The cells of recurrent networks against double arithmetic, and on every instruction set against each other, bit for
// bit; additive attention; and a decoder whose rows depend on their hypothesis and source alone.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "check.h"
#include "core/kernels/attention.h"
#include "core/kernels/isa.h"
#include "core/kernels/recurrent.h"
#include "core/recurrent/decoder.h"
#include "core/recurrent/encoder.h"
#include "decoder_rows.h"
#include "random.h"
#include "seq2seq_kit/errors.h"
#include "small_weights.h"

using namespace seq2seq_kit;
using kernels::Isa;
using kernels::Precision;
using seq2seq_kit::testing::check_rows;
using seq2seq_kit::testing::feed;
using seq2seq_kit::testing::matrix;
using seq2seq_kit::testing::numbers;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
Random draw(5);

/// `run` on every instruction set: they agree.
template <typename Run>
std::vector<float> everywhere(const Run& run) {
  kernels::use_isa(Isa::portable);
  const std::vector<float> result = run();
  for (int isa = 0; isa <= static_cast<int>(kernels::best_isa()); ++isa) {
    kernels::use_isa(static_cast<Isa>(isa));
    CHECK(run() == result);
  }
  return result;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// The distance from `expected` in units in the last place of the float nearest to it.
double units(float x, double expected) {
  const float nearest = std::abs(static_cast<float>(expected));
  const double unit = std::nextafter(nearest, kInfinity) - nearest;
  return std::abs(x - expected) / unit;
}

void test_tanh_and_sigmoid() {
  std::vector<float> numbers;
  for (float x = 1e-6f; x < 100; x *= 1.0003f) {
    numbers.push_back(x);
    numbers.push_back(-x);
  }
  const auto size = static_cast<int64_t>(numbers.size());
  const auto squashed = everywhere([&] {
    std::vector<float> out(size);
    kernels::hyperbolic_tangent(numbers.data(), size, out.data());
    return out;
  });
  // c' = sigmoid(forget) where c is 1 and what comes in is nothing.
  std::vector<float> gates(4 * size, -kInfinity);
  std::copy(numbers.begin(), numbers.end(), gates.begin() + size);
  const std::vector<float> ones(size, 1.0f);
  const auto gated = everywhere([&] {
    std::vector<float> h(size), c(size);
    kernels::lstm_cell(gates.data(), ones.data(), size, h.data(), c.data());
    return c;
  });
  for (int64_t i = 0; i < size; ++i) {
    CHECK(units(squashed[i], std::tanh(double{numbers[i]})) < 2);
    if (numbers[i] > -87) CHECK(units(gated[i], sigmoid(numbers[i])) < 2.5);
    if (numbers[i] < -88) CHECK(gated[i] == 0);
  }
  const float ends[] = {0, -100, kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN(), 1e-40f};
  float found[6];
  kernels::hyperbolic_tangent(ends, 6, found);
  CHECK(found[0] == 0 && found[1] == -1 && found[2] == 1 && found[3] == -1 && std::isnan(found[4]) &&
        found[5] == 1e-40f);
}

void test_cells(int64_t size) {
  const auto gates = draw.row(4 * size, false, 0), past = draw.row(3 * size, false, 0), c = draw.row(size, false, 0);
  const auto lstm = everywhere([&] {
    auto h = c, now = c;  // in place
    kernels::lstm_cell(gates.data(), now.data(), size, h.data(), now.data());
    h.insert(h.end(), now.begin(), now.end());
    return h;
  });
  const auto gru = everywhere([&] {
    auto h = c;
    kernels::gru_cell(gates.data(), past.data(), h.data(), size, h.data());
    return h;
  });
  for (int64_t i = 0; i < size; ++i) {
    const auto gate = [&](int64_t which) { return double{gates[which * size + i]}; };
    const double now = sigmoid(gate(1)) * c[i] + sigmoid(gate(0)) * std::tanh(gate(2));
    CHECK(std::abs(lstm[size + i] - now) < 1e-5 * (1 + std::abs(now)));
    CHECK(std::abs(lstm[i] - sigmoid(gate(3)) * std::tanh(now)) < 1e-5);
    const double reset = sigmoid(gate(0) + past[i]), update = sigmoid(gate(1) + past[size + i]);
    const double fresh = std::tanh(gate(2) + reset * past[2 * size + i]);
    CHECK(std::abs(gru[i] - (fresh + update * (c[i] - fresh))) < 1e-5 * (1 + std::abs(c[i])));
  }
}

void test_additive_attention(int64_t size, int64_t value_size, int64_t count) {
  const int64_t stride = size + value_size + 1;
  const auto query = draw.row(size, false, 0), energy = draw.row(size, false, 0),
             memory = draw.row(count * stride, false, 0);
  const kernels::Positions positions{memory.data(), memory.data() + size, stride, nullptr, count};
  const auto result = everywhere([&] {
    std::vector<float> weights(count), context(value_size, 5);
    kernels::attend_additively(query.data(), energy.data(), size, value_size, positions, weights.data(),
                               context.data());
    weights.insert(weights.end(), context.begin(), context.end());
    return weights;
  });
  std::vector<double> weights(count), context(value_size);
  double max = -kInfinity, sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t j = 0; j < size; ++j) weights[i] += energy[j] * std::tanh(double{query[j]} + memory[i * stride + j]);
    max = std::max(max, weights[i]);
  }
  for (double& weight : weights) sum += weight = std::exp(weight - max);
  for (int64_t i = 0; i < count; ++i) {
    CHECK(std::abs(result[i] - weights[i] / sum) < 1e-5);
    for (int64_t j = 0; j < value_size; ++j) context[j] += weights[i] / sum * memory[i * stride + size + j];
  }
  for (int64_t j = 0; j < value_size; ++j) CHECK(std::abs(result[count + j] - context[j]) < 1e-4);
}

// A decoder of sizes of no instruction set: the ends of rows are walked too.
constexpr int64_t kSize = 18, kEmbedding = 7, kVocab = 13, kStates = 5, kKeys = 6;

std::shared_ptr<recurrent::Weights> weights(recurrent::Cell cell, bool additive, bool before, Precision precision) {
  Random random(1);
  const int64_t gates = cell == recurrent::Cell::lstm ? 4 : cell == recurrent::Cell::gru ? 3 : 1;
  const int64_t context = additive ? kStates : kSize;
  std::vector<recurrent::Layer> layers;
  for (int layer = 0; layer < 2; ++layer) {
    const int64_t inputs = layer > 0 ? kSize : kEmbedding + kSize + (before ? context : 0);
    layers.push_back(
        {matrix(random, gates * kSize, inputs, precision), matrix(random, gates * kSize, kSize, precision)});
  }
  recurrent::Attention attention{additive ? 1 : 2,
                                 0.5f,
                                 {},
                                 matrix(random, kKeys, kSize, precision),
                                 matrix(random, kKeys, kStates, precision),
                                 std::nullopt,
                                 std::nullopt};
  if (additive) {
    attention.energy = numbers(random, kKeys);
  } else {
    attention.value = matrix(random, 8, kStates, precision);
    attention.out = matrix(random, context, 8, precision);
  }
  recurrent::Start start_h{recurrent::Start::From::mean, {}}, start_c{recurrent::Start::From::zeros, {}};
  for (int layer = 0; layer < 2; ++layer) start_h.linear.push_back(matrix(random, kSize, kStates, precision));
  const auto embedding = std::make_shared<std::vector<float>>(numbers(random, kVocab * kEmbedding));
  return std::make_shared<recurrent::Weights>(
      recurrent::Weights{cell, 2.0f, embedding->data(), embedding, kEmbedding, std::move(layers), std::move(start_h),
                         std::move(start_c), kStates, std::move(attention), before, true,
                         matrix(random, kSize, context + kSize, precision), matrix(random, kVocab, kSize, precision)});
}

/// Sentence s of any batch has s % 4 real positions, the same ones everywhere.
std::shared_ptr<recurrent::Source> source_of(const recurrent::Weights& weights, const std::vector<int64_t>& sentences,
                                             int64_t width) {
  std::vector<float> states;
  const auto real = std::make_unique<bool[]>(sentences.size() * width);
  for (size_t b = 0; b < sentences.size(); ++b) {
    Random random(100 + sentences[b]);
    for (int64_t i = 0; i < width; ++i) {
      const bool is_real = real[b * width + i] = i < sentences[b] % 4;
      const std::vector<float> state = numbers(random, kStates);
      for (const float x : state) states.push_back(is_real ? x : std::nanf(""));
    }
  }
  return std::make_shared<recurrent::Source>(
      weights,
      recurrent::Memory{
          states.data(), {real.get(), sentences.size() * width}, static_cast<int64_t>(sentences.size()), {}, {}});
}

void test_rows_are_what_they_are_alone(recurrent::Cell cell, bool additive, bool before, Precision precision) {
  const auto shared = weights(cell, additive, before, precision);
  const std::vector<int64_t> sentences{3, 1, 4, 2, 7};
  recurrent::Decoder decoder(shared, source_of(*shared, sentences, 5));
  check_rows(decoder, sentences, 5, kVocab, Random(9), [&](int64_t sentence, const std::vector<int64_t>& tokens) {
    recurrent::Decoder alone(shared, source_of(*shared, {sentence}, 3));
    return feed(alone, tokens, kVocab);
  });
}

recurrent::EncoderWeights encoder(recurrent::Cell cell, Precision precision) {
  Random random(2);
  const int64_t gates = cell == recurrent::Cell::lstm ? 4 : cell == recurrent::Cell::gru ? 3 : 1;
  recurrent::EncoderWeights weights{cell, matrix(random, kEmbedding, kStates, precision), {}};
  for (int layer = 0; layer < 2; ++layer) {
    weights.layers.emplace_back();
    for (int direction = 0; direction < 2; ++direction) {
      weights.layers.back().push_back(
          {matrix(random, gates * 9, layer > 0 ? 18 : kEmbedding, precision), matrix(random, gates * 9, 9, precision)});
    }
  }
  return weights;
}

/// States [positions, H], and the final h and c [B, layers, H] behind them.
std::vector<float> encoded(const recurrent::EncoderWeights& weights, const std::vector<float>& read,
                           const std::vector<int64_t>& lengths, int64_t threads) {
  const auto count = static_cast<int64_t>(read.size()) / kStates, ends = static_cast<int64_t>(lengths.size()) * 2;
  std::vector<float> out((count + 2 * ends) * 18);
  float* h = out.data() + count * 18;
  recurrent::encode(weights, read.data(), lengths, threads, {out.data(), h, h + ends * 18});
  return out;
}

void test_a_sentence_is_encoded_as_it_is_alone(recurrent::Cell cell, Precision precision) {
  const auto weights = encoder(cell, precision);
  const std::vector<int64_t> lengths{3, 0, 5, 1, 5};
  Random random(8);
  const auto read = numbers(random, 14 * kStates);
  const auto together = encoded(weights, read, lengths, 1);
  CHECK(encoded(weights, read, lengths, 3) == together);
  const float* h = together.data() + 14 * 18;
  int64_t begin = 0;
  for (size_t b = 0; b < lengths.size(); begin += lengths[b], ++b) {
    const std::vector<float> own(read.begin() + begin * kStates, read.begin() + (begin + lengths[b]) * kStates);
    const auto alone = encoded(weights, own, {lengths[b]}, 2);
    const auto states = lengths[b] * 18;
    CHECK(std::equal(alone.begin(), alone.begin() + states, together.begin() + begin * 18));
    CHECK(std::equal(alone.begin() + states, alone.begin() + states + 36, h + b * 36));
    CHECK(lengths[b] > 0 || std::count(h + b * 36, h + (b + 1) * 36, 0.0f) == 36);
  }
}

void test_a_token_that_there_is_not_is_refused() {
  const auto shared = weights(recurrent::Cell::gru, true, false, Precision::fp32);
  recurrent::Decoder decoder(shared, source_of(*shared, {1}, 3));
  decoder.start(1);
  std::vector<float> logits(kVocab);
  for (const int64_t token : {int64_t{-1}, kVocab}) {
    CHECK(throws<SearchError>([&] { decoder.step(std::vector<int64_t>{token}, 1, logits.data(), nullptr); }));
  }
}

}  // namespace

int main() {
  test_tanh_and_sigmoid();
  for (const int64_t size : {1, 15, 16, 33, 130}) test_cells(size);
  for (const int64_t size : {1, 16, 37}) {
    for (const int64_t value_size : {1, 40}) {
      for (const int64_t count : {0, 1, 21}) test_additive_attention(size, value_size, count);
    }
  }
  for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
    for (const auto cell : {recurrent::Cell::rnn, recurrent::Cell::gru, recurrent::Cell::lstm}) {
      test_a_sentence_is_encoded_as_it_is_alone(cell, precision);
      for (const bool additive : {false, true}) {
        for (const bool before : {false, true}) test_rows_are_what_they_are_alone(cell, additive, before, precision);
      }
    }
  }
  test_a_token_that_there_is_not_is_refused();
}
