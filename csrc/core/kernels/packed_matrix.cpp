#include "core/kernels/packed_matrix.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "core/kernels/packed_layout.h"
#include "core/kernels/weights_memory.h"

namespace seq2seq_kit::kernels {
namespace {

constexpr float kGreatestStep = 127;  // of a weight in int8

/// A quantised output: 0 where the weights are not finite, which makes the scale NaN.
struct Steps {
  float scale = 0;

  explicit Steps(const float* weights, int64_t inputs) {
    float greatest = 0;
    for (int64_t i = 0; i < inputs; ++i) greatest = std::max(greatest, std::abs(weights[i]));
    const bool finite = std::all_of(weights, weights + inputs, [](float x) { return std::isfinite(x); });
    scale = finite ? greatest / kGreatestStep : std::numeric_limits<float>::quiet_NaN();
  }

  int8_t of(float weight) const {
    if (!(scale > 0)) return 0;
    return static_cast<int8_t>(std::clamp(std::nearbyint(weight / scale), -kGreatestStep, kGreatestStep));
  }
};

uint16_t to_bf16(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  if (std::isnan(x)) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);  // to nearest, ties to even
}

}  // namespace

PackedMatrix::PackedMatrix(const float* weights, const float* bias, int64_t outputs, int64_t inputs,
                           Precision precision)
    : packed_(std::make_unique<Packed>()) {
  if (outputs < 1 || inputs < 0 || (precision == Precision::int8 && inputs > kMostInt8Inputs)) {
    throw std::invalid_argument("a packed matrix cannot have " + std::to_string(outputs) + " outputs and " +
                                std::to_string(inputs) + " inputs");
  }
  packed_->outputs = outputs;
  packed_->inputs = inputs;
  packed_->precision = precision;
  packed_->depth = words_per_row(precision, inputs);
  const int64_t panels = packed_->panels(), group = inputs_per_word(precision);
  packed_->words = weights_memory(packed_->words_count());
  packed_->bias = AlignedArray<float>(panels * kPanel);
  if (precision == Precision::int8) {
    packed_->scales = AlignedArray<float>(panels * kPanel);
    packed_->sums = AlignedArray<int32_t>(panels * kPanel);
  }
  for (int64_t n = 0; n < outputs; ++n) {
    const float* row = weights + n * inputs;
    uint32_t* to = packed_->words.get() + n / kPanel * packed_->depth * kPanel + n % kPanel;
    if (bias) packed_->bias[n] = bias[n];
    switch (precision) {
      case Precision::fp32:
        for (int64_t i = 0; i < inputs; ++i) to[i * kPanel] = std::bit_cast<uint32_t>(row[i]);
        break;
      case Precision::bf16:
        for (int64_t i = 0; i < inputs; ++i) {
          to[i / group * kPanel] |= static_cast<uint32_t>(to_bf16(row[i])) << 16 * (i % group);
        }
        break;
      case Precision::int8:
        const Steps steps(row, inputs);
        packed_->scales[n] = steps.scale;
        for (int64_t i = 0; i < inputs; ++i) {
          const int8_t step = steps.of(row[i]);
          packed_->sums[n] += step;
          to[i / group * kPanel] |= static_cast<uint32_t>(static_cast<uint8_t>(step)) << 8 * (i % group);
        }
        break;
    }
  }
}

PackedMatrix::PackedMatrix(PackedMatrix&&) noexcept = default;
PackedMatrix& PackedMatrix::operator=(PackedMatrix&&) noexcept = default;
PackedMatrix::~PackedMatrix() = default;

int64_t PackedMatrix::outputs() const { return packed_->outputs; }
int64_t PackedMatrix::inputs() const { return packed_->inputs; }
Precision PackedMatrix::precision() const { return packed_->precision; }

size_t PackedMatrix::bytes() const {
  return packed_->words_count() * sizeof(uint32_t) + packed_->bias.bytes() + packed_->scales.bytes() +
         packed_->sums.bytes();
}

}  // namespace seq2seq_kit::kernels
