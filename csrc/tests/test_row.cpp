// The kernels against plain double arithmetic.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "check.h"
#include "core/kernels/row.h"
#include "random.h"

using namespace seq2seq_kit;

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

}  // namespace

int main() {
  test_log_sum_exp();
  test_block_maxima();
}
