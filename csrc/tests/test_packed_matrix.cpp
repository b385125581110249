// Products with packed weights against double arithmetic, for every precision and instruction set, and their promise:
// to the bit the same for a row whatever rows come with it.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "check.h"
#include "core/kernels/isa.h"
#include "core/kernels/packed_matrix.h"
#include "random.h"

using namespace seq2seq_kit::kernels;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr Precision kPrecisions[] = {Precision::fp32, Precision::bf16, Precision::int8};

Random draw(7);

std::vector<float> numbers(int64_t count, double spread) {
  auto row = draw.row(count, false, 0);
  for (float& x : row) x *= static_cast<float>(spread / 4);
  return row;
}

/// A layer with inputs to it.
struct Case {
  int64_t outputs, inputs, rows;
  std::vector<float> weights, bias, x;

  Case(int64_t outputs, int64_t inputs, int64_t rows)
      : outputs(outputs),
        inputs(inputs),
        rows(rows),
        weights(numbers(outputs * inputs, 1 / std::sqrt(inputs + 1.0))),
        bias(numbers(outputs, 1)),
        x(numbers(rows * inputs, 1)) {}

  PackedMatrix packed(Precision precision) const {
    return PackedMatrix(weights.data(), bias.data(), outputs, inputs, precision);
  }

  std::vector<float> product(const PackedMatrix& w, Activation activation = Activation::none) const {
    std::vector<float> out(rows * outputs, kNaN);
    multiply(w, x.data(), rows, inputs, out.data(), outputs, activation);
    return out;
  }

  double exact(int64_t row, int64_t output) const {
    double sum = bias[output];
    for (int64_t i = 0; i < inputs; ++i) sum += double{x[row * inputs + i]} * weights[output * inputs + i];
    return sum;
  }

  /// The largest difference from the exact product that rounding may cause.
  double tolerance(Precision precision, int64_t row, int64_t output) const {
    double size = std::abs(bias[output]), greatest_x = 0, greatest_weight = 0, sum_x = 0, sum_weights = 0;
    for (int64_t i = 0; i < inputs; ++i) {
      const double a = std::abs(x[row * inputs + i]), b = std::abs(weights[output * inputs + i]);
      size += a * b;
      sum_x += a;
      sum_weights += b;
      greatest_x = std::max(greatest_x, a);
      greatest_weight = std::max(greatest_weight, b);
    }
    const double rounding = 1e-6 * size + 1e-30;
    if (precision == Precision::fp32) return rounding;
    if (precision == Precision::bf16) return rounding + size * 0.0079;                // half a unit of 8 bits, in both
    const double step_x = 2 * greatest_x / 255, step_weight = greatest_weight / 127;  // errors: half a step, in both
    return rounding + step_x * sum_weights + step_weight * (sum_x + inputs * step_x);
  }
};

bool same_bits(const float* a, const float* b, int64_t count) { return std::memcmp(a, b, count * sizeof(float)) == 0; }

void test_products() {
  for (const auto precision : kPrecisions) {
    for (const int64_t outputs : {1, 3, 64, 65, 130}) {
      for (const int64_t inputs : {0, 1, 3, 15, 16, 33, 700}) {
        for (const int64_t rows : {0, 1, 2, 3, 4, 5, 6, 7, 13, 161}) {
          if (rows * outputs * inputs > 50000) continue;
          const Case c(outputs, inputs, rows);
          const auto out = c.product(c.packed(precision));
          for (int64_t row = 0; row < rows; ++row) {
            for (int64_t n = 0; n < outputs; ++n) {
              CHECK(std::abs(out[row * outputs + n] - c.exact(row, n)) <= c.tolerance(precision, row, n));
            }
          }
        }
      }
    }
  }
}

void test_a_row_does_not_depend_on_its_batch() {
  for (const auto precision : kPrecisions) {
    for (const auto& [outputs, inputs] : {std::pair{70, 1100}, {3, 37}}) {
      const Case c(outputs, inputs, 161);
      const auto w = c.packed(precision);
      const auto all = c.product(w, Activation::gelu);
      std::vector<float> out(c.rows * outputs);
      for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 32}) {
        const int64_t first = draw.uniform(0, c.rows - rows);
        multiply(w, c.x.data() + first * inputs, rows, inputs, out.data(), outputs, Activation::gelu);
        CHECK(same_bits(out.data(), all.data() + first * outputs, rows * outputs));
      }
    }
  }
}

constexpr Activation kActivations[] = {Activation::none, Activation::relu, Activation::gelu, Activation::gelu_tanh,
                                       Activation::silu};

double activated(double x, Activation activation) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::relu:
      return std::max(x, 0.0);
    case Activation::gelu:
      return x * 0.5 * std::erfc(-x / std::sqrt(2.0));
    case Activation::gelu_tanh:
      return x / (1 + std::exp(-2 * 0.7978845608028654 * (x + 0.044715 * x * x * x)));
    case Activation::silu:
      return x / (1 + std::exp(-x));
  }
  return kNaN;
}

void test_activations_strides_and_what_is_added() {
  const int64_t outputs = 67, inputs = 1, rows = 9, x_stride = 5, out_stride = 80;
  const auto x = numbers(rows * x_stride, 8), weights = numbers(outputs, 1), added = numbers(rows * out_stride, 1);
  for (const auto activation : kActivations) {
    const PackedMatrix w(weights.data(), nullptr, outputs, inputs, Precision::fp32);
    std::vector<float> out = added;
    multiply(w, x.data(), rows, x_stride, out.data(), out_stride, activation, out.data());  // in place
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t n = 0; n < out_stride; ++n) {
        const size_t at = row * out_stride + n;
        if (n >= outputs) {
          CHECK(out[at] == added[at]);  // beyond the matrix nothing is written
        } else {
          const double sum = double{x[row * x_stride]} * weights[n];
          CHECK(std::abs(out[at] - (activated(sum, activation) + added[at])) < 2e-6 * (1 + std::abs(sum)));
        }
      }
    }
  }
}

void test_activations_far_from_zero() {
  const float one = 1;
  const PackedMatrix w(&one, nullptr, 1, 1, Precision::fp32);
  for (const auto activation : kActivations) {
    for (const float x : {-1e30f, -200.0f, -90.0f, -30.0f, -6.0f, 0.0f, 6.0f, 90.0f, 1e30f}) {
      float out = kNaN;
      multiply(w, &x, 1, 1, &out, 1, activation);
      CHECK(std::abs(out - activated(x, activation)) <= 2e-6 * std::abs(x));
    }
    float out = 0;
    multiply(w, &kNaN, 1, 1, &out, 1, activation);
    CHECK(std::isnan(out));
  }
}

void test_numbers_that_are_not_finite() {
  for (const auto precision : kPrecisions) {
    Case c(70, 40, 3);
    c.bias[5] = -kInfinity;
    c.x[0] = kNaN;
    c.x[40] = kInfinity;
    const auto out = c.product(c.packed(precision));
    for (int64_t n = 0; n < 70; ++n) {
      CHECK(std::isnan(out[n]));
      CHECK(!std::isfinite(out[70 + n]));
      CHECK(n == 5 ? out[140 + n] == -kInfinity : std::isfinite(out[140 + n]));
    }
    c.weights[40 * 2] = kNaN;
    const auto with_nan = c.product(c.packed(precision));
    CHECK(std::isnan(with_nan[140 + 2]) && with_nan[140 + 3] == out[140 + 3]);
  }
}

template <typename Call>
bool refuses(const Call& call) {
  try {
    call();
  } catch (const std::invalid_argument&) {
    return true;
  }
  return false;
}

void test_sizes_that_cannot_be() {
  const std::vector<float> weights(kMostInt8Inputs + 1, 1);
  const auto pack = [&](int64_t outputs, int64_t inputs, Precision precision) {
    return [=, &weights] { PackedMatrix(weights.data(), nullptr, outputs, inputs, precision); };
  };
  CHECK(refuses(pack(0, 3, Precision::fp32)));
  CHECK(refuses(pack(1, -1, Precision::fp32)));
  CHECK(refuses(pack(1, kMostInt8Inputs + 1, Precision::int8)));
  // The greatest sums that there can be: 255 * 127 an input.
  const PackedMatrix most(weights.data(), nullptr, 1, kMostInt8Inputs, Precision::int8);
  for (const float sign : {1.0f, -1.0f}) {
    const std::vector<float> x(kMostInt8Inputs, sign);
    float out = 0;
    multiply(most, x.data(), 1, kMostInt8Inputs, &out, 1);
    CHECK(std::abs(out - sign * kMostInt8Inputs) < 1);
  }
}

void test_denormal_numbers() {
  const float tiny = 1e-40f, weight = 0.5f;
  for (const auto precision : kPrecisions) {
    const PackedMatrix w(&weight, nullptr, 1, 1, precision);
    float out = kNaN;
    multiply(w, &tiny, 1, 1, &out, 1);
    CHECK(std::abs(out) <= tiny);
  }
}

/// `multiply_top` against the scores that `multiply` gives, of which those of the tokens `barred` become -inf.
void check_top(const Case& c, Precision precision, int64_t count, const std::vector<int64_t>& barred = {}) {
  const auto w = c.packed(precision);
  auto full = c.product(w);
  std::vector<float> scores(c.rows * count), log_sums(c.rows);
  std::vector<int64_t> tokens(c.rows * count), order(c.outputs);
  multiply_top(w, c.x.data(), c.rows, c.inputs, count, scores.data(), tokens.data(), log_sums.data(), barred);
  for (int64_t r = 0; r < c.rows; ++r) {
    float* row = full.data() + r * c.outputs;
    const bool undefined = std::any_of(row, row + c.outputs, [](float x) { return x != x || x == kInfinity; });
    for (int64_t n = 0; n < c.outputs; ++n) row[n] = row[n] != row[n] ? -kInfinity : row[n];
    for (const int64_t token : barred) row[token] = -kInfinity;
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return row[a] > row[b]; });
    double sum = 0;
    const double max = row[order[0]];
    for (int64_t n = 0; n < c.outputs; ++n) sum += std::exp(row[n] - (std::isinf(max) ? 0 : max));
    const double log_sum = std::log(sum) + (std::isinf(max) ? 0 : max);
    CHECK(undefined             ? std::isnan(log_sums[r])
          : std::isinf(log_sum) ? log_sums[r] == -kInfinity
                                : std::abs(log_sums[r] - log_sum) < 2e-6 * (1 + std::abs(log_sum)));
    for (int64_t i = 0; i < count; ++i) {
      CHECK(tokens[r * count + i] == order[i]);
      CHECK(scores[r * count + i] == row[order[i]]);
    }
  }
}

void test_top() {
  for (const auto precision : kPrecisions) {
    for (const int64_t outputs : {1, 3, 64, 300, 1111}) {
      for (const int64_t count : {int64_t{0}, int64_t{1}, int64_t{10}, outputs - 1, outputs}) {
        for (const int64_t rows : {0, 1, 7, 40}) {
          if (count <= outputs) check_top(Case(outputs, 20, rows), precision, count);
        }
      }
    }
    check_top(Case(300, 20, 7), precision, 10, {0, 63, 64, 255, 256, 299});
    check_top(Case(3, 20, 7), precision, 3, {0, 1, 2});
    Case ties(500, 8, 12);
    for (auto* values : {&ties.weights, &ties.bias, &ties.x}) {
      for (float& x : *values) x = std::round(2 * x);
    }
    check_top(ties, precision, 40);
    Case wild(500, 8, 6);
    for (float& bias : wild.bias) bias = draw.chance(0.95) ? -kInfinity : bias * 100;
    check_top(wild, precision, 60);
    wild.x[0] = kNaN;
    wild.bias[77] = draw.chance(0.5) ? kInfinity : kNaN;
    check_top(wild, precision, 60);
    check_top(wild, precision, 60, {76, 77});
    std::fill(wild.bias.begin(), wild.bias.end(), -kInfinity);
    wild.x[0] = 1;
    check_top(wild, precision, 3);
  }
}

/// Layers of any size with numbers of every kind among them: no read or write beyond them, a row is its own, and the
/// best are those of all.
void test_wild_numbers() {
  constexpr float kWild[] = {0.0f, -0.0f, 1e-40f, -1e-45f, 1e38f, -3e38f, kInfinity, -kInfinity, kNaN};
  for (int trial = 0; trial < 60; ++trial) {
    Case c(draw.uniform(1, 150), draw.uniform(0, 90), draw.uniform(1, 20));
    const double share = draw.chance(0.5) ? 0.02 : 0.5;
    for (auto* values : {&c.weights, &c.bias, &c.x}) {
      for (float& x : *values) {
        if (draw.chance(share)) x = kWild[draw.uniform(0, std::size(kWild) - 1)];
      }
    }
    for (const auto precision : kPrecisions) {
      const auto w = c.packed(precision);
      const auto all = c.product(w, Activation::silu);
      std::vector<float> alone(c.outputs);
      for (int64_t row = 0; row < c.rows; ++row) {
        multiply(w, c.x.data() + row * c.inputs, 1, c.inputs, alone.data(), c.outputs, Activation::silu);
        for (int64_t n = 0; n < c.outputs; ++n) {
          const float one = all[row * c.outputs + n];
          CHECK(one == alone[n] || (std::isnan(one) && std::isnan(alone[n])));
        }
      }
      check_top(c, precision, draw.uniform(std::max<int64_t>(0, c.outputs - 3), c.outputs));
    }
  }
}

void test_top_does_not_depend_on_the_batch() {
  for (const auto precision : kPrecisions) {
    const Case c(900, 64, 50);
    const auto w = c.packed(precision);
    std::vector<float> scores(500), log_sums(50), score(10), log_sum(1);
    std::vector<int64_t> tokens(500), token(10);
    multiply_top(w, c.x.data(), 50, 64, 10, scores.data(), tokens.data(), log_sums.data());
    for (int64_t row = 0; row < 50; ++row) {
      multiply_top(w, c.x.data() + row * 64, 1, 64, 10, score.data(), token.data(), log_sum.data());
      CHECK(same_bits(score.data(), scores.data() + row * 10, 10) && same_bits(log_sum.data(), &log_sums[row], 1));
      CHECK(std::equal(token.begin(), token.end(), tokens.begin() + row * 10));
    }
  }
}

}  // namespace

int main() {
  for (int isa = 0; isa <= static_cast<int>(best_isa()); ++isa) {
    use_isa(static_cast<Isa>(isa));
    test_products();
    test_a_row_does_not_depend_on_its_batch();
    test_activations_strides_and_what_is_added();
    test_activations_far_from_zero();
    test_numbers_that_are_not_finite();
    test_sizes_that_cannot_be();
    test_denormal_numbers();
    test_top();
    test_wild_numbers();
    test_top_does_not_depend_on_the_batch();
  }
}
