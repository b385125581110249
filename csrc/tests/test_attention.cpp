// Attention and normalisation against double arithmetic, and on every instruction set against each other, bit for bit.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "check.h"
#include "core/kernels/attention.h"
#include "core/kernels/isa.h"
#include "core/kernels/norm.h"
#include "random.h"

using namespace seq2seq_kit::kernels;

namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();
Random draw(3);

std::vector<Isa> instruction_sets() {
  std::vector<Isa> sets;
  for (int isa = 0; isa <= static_cast<int>(best_isa()); ++isa) sets.push_back(static_cast<Isa>(isa));
  return sets;
}

/// `run` on every instruction set: they agree.
template <typename Run>
std::vector<float> everywhere(const Run& run) {
  use_isa(Isa::portable);
  const std::vector<float> result = run();
  for (const Isa isa : instruction_sets()) {
    use_isa(isa);
    CHECK(run() == result);
  }
  return result;
}

/// `slots` vectors of `size` numbers, as they are kept and as numbers again.
struct Vectors {
  std::vector<uint32_t> words;
  std::vector<float> numbers;

  Vectors(Kept kept, int64_t slots, int64_t size, int64_t stride) : words(slots * stride) {
    for (int64_t slot = 0; slot < slots; ++slot) {
      const std::vector<float> vector = draw.row(size, false, 0);
      keep(kept, vector.data(), size, words.data() + slot * stride);
      for (const float x : vector) numbers.push_back(kept == Kept::fp32 ? x : rounded(x));
    }
  }

  static float rounded(float x) {
    const auto bits = std::bit_cast<uint32_t>(x);
    return std::bit_cast<float>((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u);
  }
};

void test_attend(Kept kept, int64_t size, int64_t count, bool with_places, bool with_bias) {
  const int64_t stride = words_of(kept, size) + 3, slots = count + 5;
  const Vectors keys(kept, slots, size, stride), values(kept, slots, size, stride);
  const auto query = draw.row(size, false, 0), bias = draw.row(count, false, 0.3);
  std::vector<int32_t> places(count);
  for (int64_t i = 0; i < count; ++i) places[i] = with_places ? static_cast<int32_t>(draw.uniform(0, slots - 1)) : i;
  const Positions positions{
      keys.words.data(), values.words.data(), stride, with_places ? places.data() : nullptr, count, kept};
  const float scale = 0.1f;
  const auto result = everywhere([&] {
    std::vector<float> weights(count), context(size);
    attend(query.data(), size, positions, scale, with_bias ? bias.data() : nullptr, weights.data(), context.data());
    weights.insert(weights.end(), context.begin(), context.end());
    return weights;
  });
  std::vector<double> weights(count), context(size);
  double max = kNone, sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t j = 0; j < size; ++j) weights[i] += double{query[j]} * keys.numbers[places[i] * size + j];
    weights[i] = weights[i] * scale + (with_bias ? bias[i] : 0);
    max = std::max(max, weights[i]);
  }
  for (double& weight : weights) sum += weight = max == kNone ? 0 : std::exp(weight - max);
  for (int64_t i = 0; i < count; ++i) {
    weights[i] = sum == 0 ? 0 : weights[i] / sum;
    CHECK(std::abs(result[i] - weights[i]) < 1e-5);
    for (int64_t j = 0; j < size; ++j) context[j] += weights[i] * values.numbers[places[i] * size + j];
  }
  for (int64_t j = 0; j < size; ++j) CHECK(std::abs(result[count + j] - context[j]) < 1e-4);
}

void test_attend_to_nothing() {
  const std::vector<float> ones(8, 1), none(2, kNone);
  for (const int64_t count : {0, 2}) {
    std::vector<float> weights(2, 5), context(4, 5);
    const std::vector<uint32_t> words(64);
    attend(ones.data(), 4, {words.data(), words.data(), 4, nullptr, count, Kept::fp32}, 1, none.data(), weights.data(),
           context.data());
    for (const float x : context) CHECK(x == 0);
    for (int64_t i = 0; i < count; ++i) CHECK(weights[i] == 0);
  }
}

void test_norms(int64_t size) {
  const auto x = draw.row(size, false, 0), weight = draw.row(size, false, 0), bias = draw.row(size, false, 0);
  const auto layer = everywhere([&] {
    auto out = x;  // in place
    layer_norm(out.data(), size, weight.data(), bias.data(), 1e-5f, out.data());
    return out;
  });
  const auto rms = everywhere([&] {
    std::vector<float> out(size);
    rms_norm(x.data(), size, nullptr, 1e-6f, out.data());
    return out;
  });
  double mean = 0, variance = 0, squares = 0;
  for (const float number : x) mean += number / static_cast<double>(size);
  for (const float number : x) {
    variance += (number - mean) * (number - mean) / static_cast<double>(size);
    squares += double{number} * number / static_cast<double>(size);
  }
  for (int64_t i = 0; i < size; ++i) {
    const double expected = (x[i] - mean) / std::sqrt(variance + 1e-5) * weight[i] + bias[i];
    CHECK(std::abs(layer[i] - expected) < 1e-5 * (1 + std::abs(expected)));
    CHECK(std::abs(rms[i] - x[i] / std::sqrt(squares + 1e-6)) < 1e-5);
  }
}

}  // namespace

int main() {
  for (const int64_t size : {1, 3, 16, 32, 40, 64, 96, 130}) {
    for (const int64_t count : {1, 2, 15, 16, 33, 200}) {
      for (const bool with_places : {false, true}) {
        for (const bool with_bias : {false, true}) {
          for (const Kept kept : {Kept::fp32, Kept::bf16}) test_attend(kept, size, count, with_places, with_bias);
        }
      }
    }
  }
  test_attend_to_nothing();
  for (const int64_t size : {1, 7, 16, 64, 100, 512, 1030}) test_norms(size);
}
