// The generator on its authors' vectors; weights and warpers against plain arithmetic, and on every instruction set
// against each other.
#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "check.h"
#include "core/kernels/isa.h"
#include "core/kernels/row.h"
#include "core/kernels/weights.h"
#include "core/row_edits.h"
#include "core/sampling/philox.h"
#include "core/sampling/warpers.h"
#include "random.h"

using namespace seq2seq_kit;
using kernels::Isa;

namespace {

Random draw(3);

/// Random123's known answers.
void test_philox() {
  using Four = std::array<uint32_t, 4>;
  const uint32_t ones = 0xffffffff;
  CHECK((philox({0, 0, 0, 0}, {0, 0}) == Four{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  CHECK((philox({ones, ones, ones, ones}, {ones, ones}) == Four{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  CHECK((philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
         Four{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

void test_scale_to() {
  CHECK(scale_to(0, 7) == 0);
  CHECK(scale_to(~uint64_t{0}, 7) == 6);
  CHECK(scale_to(uint64_t{1} << 63, int64_t{1} << 50) == int64_t{1} << 49);
  CHECK(scale_to(~uint64_t{0}, (int64_t{1} << 53) - 1) == (int64_t{1} << 53) - 2);
  for (int round = 0; round < 1000; ++round) {
    const auto random = static_cast<uint64_t>(draw.uniform(0, INT64_MAX)) * 2;
    const int64_t size = draw.uniform(1, int64_t{1} << 53);
    const auto expected = static_cast<long double>(random) / 18446744073709551616.0L * static_cast<long double>(size);
    CHECK(std::fabs(static_cast<long double>(scale_to(random, size)) - expected) <= 2);
  }
}

struct Row {
  explicit Row(std::vector<float> given) : scores(std::move(given)), maxima(kernels::block_count(size())) {
    kernels::block_maxima(scores.data(), size(), maxima.data());
  }
  int64_t size() const { return static_cast<int64_t>(scores.size()); }
  SampleRow view() { return {scores, maxima}; }

  std::vector<float> scores, maxima;
};

std::vector<float> possible_row(int64_t size) {
  auto scores = draw.row(size, draw.chance(0.3), 0.2);
  scores[draw.uniform(0, size - 1)] = 3;
  return scores;
}

void test_weights() {
  for (int round = 0; round < 300; ++round) {
    Row row(possible_row(draw.uniform(1, 600)));
    const float max = row.view().max();
    std::vector<int32_t> weights(row.size());
    std::vector<int64_t> sums(row.maxima.size());
    kernels::weights(row.scores.data(), row.size(), max, weights.data());
    std::vector<int32_t> stored(row.size());
    const auto mass = kernels::weigh_with_surprisal(row.scores.data(), row.size(), max, row.maxima.data(), sums.data(),
                                                    stored.data());
    const std::vector<int64_t> of_blocks = sums;
    int64_t total = 0;
    double surprisal = 0;
    for (int64_t i = 0; i < row.size(); ++i) {
      const double d = max - row.scores[i], exact = kernels::kOne * std::exp(-d);
      CHECK(std::abs(weights[i] - exact) <= 1 + 2e-7 * exact);
      if (exact > 1) surprisal += d * exact;
      total += weights[i];
      sums[i / kernels::kBlock] -= weights[i];
    }
    CHECK(mass.weight == total);
    CHECK(std::abs(static_cast<double>(mass.surprisal) - surprisal) <=
          2.0 * static_cast<double>(row.size()) + 1e-6 * surprisal);
    for (const int64_t sum : sums) CHECK(sum == 0);
    for (int64_t i = 0; i < row.size(); ++i) {
      CHECK(of_blocks[i / kernels::kBlock] == 0 ? weights[i] == 0 : stored[i] == weights[i]);
    }
    std::vector<int32_t> again(row.size());
    CHECK(kernels::weigh(row.scores.data(), row.size(), max, row.maxima.data(), sums.data()) == total);
    CHECK(sums == of_blocks);
    CHECK(kernels::weigh(row.scores.data(), row.size(), max, row.maxima.data(), sums.data(), again.data()) == total);
    CHECK(sums == of_blocks && again == stored);
  }
}

void test_keep() {
  for (int round = 0; round < 300; ++round) {
    Row row(possible_row(draw.uniform(1, 600)));
    const float max = row.view().max(), centre = 0.5f * draw.uniform(0, 6), radius = 0.5f * draw.uniform(0, 12);
    const std::vector<float> before = row.scores;
    Row weighed(before);
    std::vector<int32_t> weights(row.size());
    std::vector<int64_t> sums(row.maxima.size()), expected_sums(row.maxima.size());
    kernels::weigh(before.data(), row.size(), max, weighed.maxima.data(), sums.data(), weights.data());
    const int64_t total = kernels::keep(weighed.scores.data(), row.size(), max, centre, radius, weighed.maxima.data(),
                                        weights.data(), sums.data());
    kernels::keep(row.scores.data(), row.size(), max, centre, radius, row.maxima.data());
    CHECK(weighed.scores == row.scores && weighed.maxima == row.maxima);
    CHECK(total == kernels::weigh(row.scores.data(), row.size(), max, row.maxima.data(), expected_sums.data()));
    CHECK(sums == expected_sums);
    for (size_t i = 0; i < before.size(); ++i) {
      const bool kept = std::fabs((max - before[i]) - centre) <= radius;
      CHECK(row.scores[i] == (kept ? before[i] : kImpossible));
    }
    CHECK(row.maxima == Row(row.scores).maxima);
  }
}

/// Top-k and top-p by sorting.
void test_warpers_by_sorting() {
  SampleBuffers buffers;
  for (int round = 0; round < 300; ++round) {
    Row row(possible_row(draw.uniform(1, 3000)));
    std::vector<float> sorted = row.scores;
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    std::vector<int64_t> sums(row.maxima.size());
    SampleRow view = row.view();
    SearchOptions options;
    float least;
    if (round % 2 == 0) {
      options.top_k = draw.uniform(1, draw.chance(0.5) ? std::min<int64_t>(row.size(), 4) : row.size());
      least = sorted[options.top_k - 1];
    } else {
      options.top_p = 0.1 * static_cast<double>(draw.uniform(0, 9));
      std::vector<int32_t> weights(row.size());
      kernels::weights(sorted.data(), row.size(), sorted.front(), weights.data());
      double total = 0, reached = 0;
      for (const int32_t weight : weights) total += weight;
      size_t last = 0;
      while ((reached += weights[last]) < options.top_p * total) ++last;
      least = sorted[last];
    }
    const std::vector<float> before = row.scores;
    warp(options, view, sums.data(), buffers);
    const float max = sorted.front(), furthest = max - least;  // tokens are kept by how far they are from the likeliest
    for (size_t i = 0; i < before.size(); ++i)
      CHECK((row.scores[i] != kImpossible) == (before[i] != kImpossible && max - before[i] <= furthest));
  }
}

void test_instruction_sets_agree() {
  SampleBuffers buffers;
  for (int round = 0; round < 300; ++round) {
    const std::vector<float> scores = possible_row(draw.uniform(1, 2000));
    SearchOptions options;
    options.top_p = 0.97;
    options.typical_p = 0.9;
    options.eta = 0.001;
    std::vector<float> expected;
    std::vector<int64_t> expected_sums;
    for (int isa = 0; isa <= static_cast<int>(kernels::best_isa()); ++isa) {
      kernels::use_isa(static_cast<Isa>(isa));
      Row row(scores);
      std::vector<int64_t> sums(row.maxima.size());
      SampleRow view = row.view();
      warp(options, view, sums.data(), buffers);
      kernels::weigh(row.scores.data(), row.size(), view.max(), row.maxima.data(), sums.data());
      if (isa == 0) expected = row.scores, expected_sums = sums;
      CHECK(row.scores == expected);
      CHECK(sums == expected_sums);
    }
    kernels::use_isa(kernels::best_isa());
  }
}

}  // namespace

int main() {
  test_philox();
  test_scale_to();
  test_weights();
  test_keep();
  test_warpers_by_sorting();
  test_instruction_sets_agree();
  return 0;
}
