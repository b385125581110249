// Selection against sorting, on random rows with ties, -inf and NaN; the kernels against plain double arithmetic.
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <tuple>
#include <vector>

#include "check.h"
#include "core/kernels/row.h"
#include "core/select.h"

using namespace seq2seq_kit;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
std::mt19937 random_bits(1);

int uniform(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_bits); }

/// `size` scores in memory of exactly that size, so that a sanitizer sees any step beyond it.
std::vector<float> random_row(int64_t size, bool ties, double impossible) {
  std::normal_distribution<float> normal(0, 4);
  std::vector<float> row(size);
  for (float& x : row) {
    x = ties ? std::round(normal(random_bits)) : normal(random_bits);
    if (std::bernoulli_distribution(impossible)(random_bits)) x = -kInfinity;
  }
  return row;
}

void test_log_sum_exp() {
  for (const int64_t size : {1, 2, 15, 16, 17, 63, 64, 65, 1000, 32001}) {
    for (const double impossible : {0.0, 0.5}) {
      auto row = random_row(size, false, impossible);
      row[uniform(0, static_cast<int>(size) - 1)] = 7;  // at least one is possible
      const float max = *std::max_element(row.begin(), row.end());
      double sum = 0;
      for (const float x : row) sum += std::exp(static_cast<double>(x) - max);
      CHECK(std::abs(kernels::log_sum_exp(row.data(), size, max) - std::log(sum)) < 1e-6);
    }
  }
}

void test_block_maxima() {
  for (const int64_t size : {1, 15, 63, 64, 65, 130, 4096}) {
    auto row = random_row(size, false, 0.3);
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
    const size_t place = uniform(0, static_cast<int>(size) - 1);
    row[place] = kInfinity;
    CHECK(kernels::block_maxima(row.data(), size, maxima.data()) == kInfinity);
    row[place] = std::numeric_limits<float>::quiet_NaN();
    CHECK(!(kernels::block_maxima(row.data(), size, maxima.data()) == kInfinity));
    CHECK(kernels::has_nan(row.data(), size));
    CHECK(std::isnan(kernels::log_sum_exp(row.data(), size, 100)));
  }
}

/// All candidates, sorted: what selection must equal.
std::vector<Candidate> by_sorting(const SelectionTask& task) {
  std::vector<Candidate> all;
  for (size_t slot = 0; slot < task.sums.size(); ++slot) {
    const float* row = task.scores + slot * task.vocab;
    const float max = *std::max_element(row, row + task.vocab);
    if (max == -kInfinity) continue;
    const float log_sum = task.normalise ? kernels::log_sum_exp(row, task.vocab, max) : 0;
    for (int64_t token = 0; token < task.vocab; ++token) {
      const bool is_eos = std::count(task.eos.begin(), task.eos.end(), token) > 0;
      if (task.allowed == Allowed::only_eos && !is_eos) continue;
      if (task.allowed == Allowed::all_but_eos && is_eos) continue;
      const float log_prob = task.normalise ? (row[token] - max) - log_sum : row[token];
      const float total = task.sums[slot] + log_prob;
      if (total > -kInfinity) all.push_back({total, log_prob, static_cast<int32_t>(slot), token});
    }
  }
  std::sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
    return std::tuple(-a.score, a.slot, a.token) < std::tuple(-b.score, b.slot, b.token);
  });
  all.resize(std::min<size_t>(all.size(), task.wanted));
  return all;
}

void test_select() {
  Selector selector;
  for (int round = 0; round < 3000; ++round) {
    const int64_t live = uniform(1, 6), vocab = uniform(1, 300);
    const bool ties = uniform(0, 1);
    const auto scores = random_row(live * vocab, ties, uniform(0, 2) * 0.45);
    auto sums = random_row(live, ties, 0);
    std::sort(sums.rbegin(), sums.rend());
    std::vector<int64_t> eos;
    for (int64_t token = 0; token < vocab; ++token) {
      if (uniform(0, 40) == 0) eos.push_back(token);
    }
    const SelectionTask task{scores.data(),     vocab, sums, uniform(1, 12), static_cast<Allowed>(uniform(0, 2)), eos,
                             uniform(0, 1) == 1};
    CHECK(selector.select(task));
    const auto expected = by_sorting(task);
    CHECK(selector.best().size() == expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      const Candidate &found = selector.best()[i], &wanted = expected[i];
      CHECK(found.score == wanted.score && found.log_prob == wanted.log_prob);
      CHECK(found.slot == wanted.slot && found.token == wanted.token);
    }
  }
}

}  // namespace

int main() {
  test_log_sum_exp();
  test_block_maxima();
  test_select();
}
