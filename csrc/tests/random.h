// Random inputs for the native tests, the same in every run.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

class Random {
 public:
  explicit Random(uint32_t seed) : bits_(seed) {}

  /// An integer in [low, high].
  int64_t uniform(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(bits_); }

  bool chance(double probability) { return std::bernoulli_distribution(probability)(bits_); }

  /// `size` scores in memory of exactly that size, so that a sanitizer sees any step beyond it: whole numbers, so that
  /// there are ties, or any; each -inf with the probability `impossible`.
  std::vector<float> row(int64_t size, bool ties, double impossible) {
    std::normal_distribution<float> normal(0, 4);
    std::vector<float> row(size);
    for (float& x : row) {
      x = ties ? std::round(normal(bits_)) : normal(bits_);
      if (chance(impossible)) x = -std::numeric_limits<float>::infinity();
    }
    return row;
  }

 private:
  std::mt19937 bits_;
};
