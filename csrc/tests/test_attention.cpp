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
    attend({query.data(), 1, 0, weights.data(), context.data(), 0}, size, positions, scale,
           with_bias ? bias.data() : nullptr);
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

/// Queries whose lists of places begin alike, each as it is alone.
void test_attend_together(Kept kept, int64_t size, int64_t count, int64_t queries, int64_t shared, bool with_places) {
  const int64_t stride = words_of(kept, size), slots = 4 * count + 1, query_stride = size + 2,
                context_stride = size + 1;
  const Vectors keys(kept, slots, size, stride), values(kept, slots, size, stride);
  const auto numbers = draw.row(queries * query_stride, false, 0), bias = draw.row(queries * count, false, 0.3);
  std::vector<int32_t> places(queries * count);
  for (int64_t i = 0; i < queries * count; ++i) {
    const bool own = i >= count && i % count >= shared;
    places[i] = own || i < count ? static_cast<int32_t>(draw.uniform(0, slots - 1)) : places[i % count];
  }
  const auto positions = [&](int64_t query) {
    const int32_t* lists = with_places ? places.data() + query * count : nullptr;
    return Positions{keys.words.data(), values.words.data(), stride, lists, count, kept};
  };
  const auto together = everywhere([&] {
    std::vector<float> weights(queries * count), contexts(queries * context_stride);
    attend({numbers.data(), queries, query_stride, weights.data(), contexts.data(), context_stride}, size, positions(0),
           0.1f, bias.data(), count);
    weights.insert(weights.end(), contexts.begin(), contexts.end());
    return weights;
  });
  for (int64_t q = 0; q < queries; ++q) {
    std::vector<float> weights(count), context(size);
    attend({numbers.data() + q * query_stride, 1, 0, weights.data(), context.data(), 0}, size, positions(q), 0.1f,
           bias.data() + q * count);
    CHECK(std::equal(weights.begin(), weights.end(), together.begin() + q * count));
    CHECK(std::equal(context.begin(), context.end(), together.begin() + queries * count + q * context_stride));
  }
}

void test_attend_to_nothing() {
  const std::vector<float> ones(8, 1), none(2, kNone);
  for (const int64_t count : {0, 2}) {
    std::vector<float> weights(2, 5), context(4, 5);
    const std::vector<uint32_t> words(64);
    attend({ones.data(), 1, 0, weights.data(), context.data(), 0}, 4,
           {words.data(), words.data(), 4, nullptr, count, Kept::fp32}, 1, none.data());
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
  for (const int64_t size : {3, 32, 64, 72}) {
    for (const int64_t queries : {2, 4, 5, 9}) {
      for (const int64_t count : {1, 6, 19, 40}) {
        for (const int64_t shared : {int64_t{0}, count / 2, count}) {
          for (const Kept kept : {Kept::fp32, Kept::bf16})
            test_attend_together(kept, size, count, queries, shared, true);
        }
        test_attend_together(Kept::bf16, size, count, queries, 0, false);
      }
    }
  }
  test_attend_to_nothing();
  for (const int64_t size : {1, 7, 16, 64, 100, 512, 1030}) test_norms(size);
}
