#include "core/kernels/packed_matrix.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace seq2seq_kit::kernels {

struct PackedMatrix::Packed {
  std::vector<float> weights, bias;
  int64_t outputs, inputs;
  Precision precision;
};

namespace {

float activated(float x, Activation activation) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::relu:
      return x < 0 ? 0 : x;
    case Activation::gelu:
      return 0.5f * x * (1 + std::erf(x * 0.70710678f));
    case Activation::silu:
      return x / (1 + std::exp(-x));
  }
  return x;
}

}  // namespace

PackedMatrix::PackedMatrix(const float* weights, const float* bias, int64_t outputs, int64_t inputs,
                           Precision precision)
    : packed_(std::make_unique<Packed>()) {
  packed_->outputs = outputs;
  packed_->inputs = inputs;
  packed_->precision = precision;
  packed_->weights.assign(weights, weights + outputs * inputs);
  packed_->bias.assign(outputs, 0);
  if (bias) std::copy_n(bias, outputs, packed_->bias.begin());
}

PackedMatrix::PackedMatrix(PackedMatrix&&) noexcept = default;
PackedMatrix& PackedMatrix::operator=(PackedMatrix&&) noexcept = default;
PackedMatrix::~PackedMatrix() = default;

int64_t PackedMatrix::outputs() const { return packed_->outputs; }
int64_t PackedMatrix::inputs() const { return packed_->inputs; }
Precision PackedMatrix::precision() const { return packed_->precision; }
size_t PackedMatrix::bytes() const { return (packed_->weights.size() + packed_->bias.size()) * sizeof(float); }

void multiply(const PackedMatrix& w, const float* x, int64_t rows, int64_t x_stride, float* out, int64_t out_stride,
              Activation activation, const float* added) {
  const auto& packed = w.packed();
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t n = 0; n < packed.outputs; ++n) {
      float sum = 0;
      for (int64_t k = 0; k < packed.inputs; ++k) sum += x[row * x_stride + k] * packed.weights[n * packed.inputs + k];
      sum = activated(sum + packed.bias[n], activation);
      out[row * out_stride + n] = added ? sum + added[row * out_stride + n] : sum;
    }
  }
}

void multiply_top(const PackedMatrix& w, const float* x, int64_t rows, int64_t x_stride, int64_t count, float* scores,
                  int64_t* tokens, float* log_sums) {
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  std::vector<float> row(w.outputs());
  std::vector<int64_t> order(w.outputs());
  for (int64_t r = 0; r < rows; ++r) {
    multiply(w, x + r * x_stride, 1, x_stride, row.data(), w.outputs());
    double sum = 0;
    const float max = *std::max_element(row.begin(), row.end(), [](float a, float b) { return a < b || a != a; });
    for (const float score : row) sum += std::exp(static_cast<double>(score) - (max == kNone ? 0 : max));
    log_sums[r] = static_cast<float>(std::log(sum) + (max == kNone ? 0 : max));
    for (float& score : row) score = score != score ? kNone : score;
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + count, order.end(),
                      [&](int64_t a, int64_t b) { return row[a] != row[b] ? row[a] > row[b] : a < b; });
    for (int64_t i = 0; i < count; ++i) {
      tokens[r * count + i] = order[i];
      scores[r * count + i] = row[order[i]];
    }
  }
}

}  // namespace seq2seq_kit::kernels
