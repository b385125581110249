// The kernels against plain double arithmetic, and on every instruction set against each other, bit for bit.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include "check.h"
#include "core/kernels/isa.h"
#include "core/kernels/row.h"
#include "random.h"

using namespace seq2seq_kit;
using kernels::Isa;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
Random draw(1);

void test_log_sum_exp() {
  for (const int64_t size : {1, 2, 15, 16, 17, 63, 64, 65, 1000, 32001}) {
    for (const double impossible : {0.0, 0.5}) {
      for (const float scale : {1.0f, 0.5f, 3.0f}) {
        auto row = draw.row(size, false, impossible);
        row[draw.uniform(0, size - 1)] = 7;  // at least one is possible
        const float max = *std::max_element(row.begin(), row.end());
        double sum = 0;
        for (const float x : row) sum += std::exp((static_cast<double>(x) - max) * scale);
        CHECK(std::abs(kernels::log_sum_exp(row.data(), size, max, scale) - std::log(sum)) < 1e-6);
      }
    }
  }
}

void test_block_maxima() {
  for (const int64_t size : {1, 15, 63, 64, 65, 130, 255, 256, 257, 4096}) {
    auto row = draw.row(size, false, 0.3);
    std::vector<float> maxima(kernels::block_count(size));
    const float max = kernels::block_maxima(row.data(), size, maxima.data());
    CHECK(!kernels::has_nan(row.data(), size));
    CHECK(max == *std::max_element(row.begin(), row.end()));
    CHECK(max == *std::max_element(maxima.begin(), maxima.end()));
    for (int64_t block = 0; block < kernels::block_count(size); ++block) {
      const auto first = row.begin() + block * kernels::kBlock;
      const auto last = row.begin() + std::min((block + 1) * kernels::kBlock, size);
      CHECK(maxima[block] == *std::max_element(first, last));
    }
    const size_t place = draw.uniform(0, size - 1);
    row[place] = kInfinity;
    CHECK(kernels::block_maxima(row.data(), size, maxima.data()) == kInfinity);
    row[place] = std::numeric_limits<float>::quiet_NaN();
    CHECK(!(kernels::block_maxima(row.data(), size, maxima.data()) == kInfinity));
    CHECK(kernels::has_nan(row.data(), size));
    CHECK(std::isnan(kernels::log_sum_exp(row.data(), size, 100, 1)));
  }
}

/// What the kernels make of a row, as bits.
std::vector<uint32_t> bits(const std::vector<float>& row, float max, float scale) {
  const auto size = static_cast<int64_t>(row.size());
  std::vector<float> results(kernels::block_count(size));
  results.push_back(kernels::block_maxima(row.data(), size, results.data()));
  results.push_back(kernels::log_sum_exp(row.data(), size, max, scale));
  results.push_back(kernels::has_nan(row.data(), size) ? 1.0f : 0.0f);
  std::vector<uint32_t> bits;
  for (const float x : results) bits.push_back(std::isnan(x) ? 0x7fc00000 : std::bit_cast<uint32_t>(x));
  return bits;
}

void test_instruction_sets_agree() {
  const Isa best = kernels::best_isa();
  std::printf("up to instruction set %d\n", static_cast<int>(best));
  for (int round = 0; round < 2000; ++round) {
    const int64_t size = draw.uniform(1, draw.chance(0.1) ? 5000 : 600);
    auto row = draw.row(size, draw.chance(0.3), 0.2);
    if (draw.chance(0.2)) row[draw.uniform(0, size - 1)] = std::numeric_limits<float>::quiet_NaN();
    if (draw.chance(0.2)) row[draw.uniform(0, size - 1)] = -kInfinity;
    if (draw.chance(0.2)) row[draw.uniform(0, size - 1)] = -120;
    const float max = *std::max_element(row.begin(), row.end(), [](float a, float b) { return a < b || a != a; });
    const float scale = draw.chance(0.5) ? 1.0f : 0.3f;
    kernels::use_isa(Isa::portable);
    const auto portable = bits(row, std::isfinite(max) ? max : 0, scale);
    for (int isa = 1; isa <= static_cast<int>(best); ++isa) {
      kernels::use_isa(static_cast<Isa>(isa));
      CHECK(bits(row, std::isfinite(max) ? max : 0, scale) == portable);
    }
  }
  kernels::use_isa(best);
}

}  // namespace

int main() {
  for (int isa = 0; isa <= static_cast<int>(kernels::best_isa()); ++isa) {
    kernels::use_isa(static_cast<Isa>(isa));
    test_log_sum_exp();
    test_block_maxima();
  }
  test_instruction_sets_agree();
}
