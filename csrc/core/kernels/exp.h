#pragma once

#include <bit>
#include <cstdint>

#include "core/kernels/per_isa.h"

namespace seq2seq_kit::kernels {

/// exp(x) for x <= 0, to about one unit in the last place; written so that a compiler can vectorise it.
/// exp(x) = 2^n * exp(r), with n = round(x / ln 2) and exp(r) the polynomial of Cephes' expf.
INLINE float exp_of_negative(float x) {
  constexpr float kLowest = -87.0f;  // below, the result counts as exp(-87) = 1.6e-38: nothing beside a sum >= 1
  constexpr float kToInteger = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  constexpr float kLn2High = 0.693359375f;   // exact in few bits, so that n * kLn2High is exact
  constexpr float kLn2Low = -2.12194440e-4f;
  x = x < kLowest ? kLowest : x;
  const float shifted = x * 1.44269504f + kToInteger;  // its lowest bits are n, in two's complement
  const float n = shifted - kToInteger;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  return p * std::bit_cast<float>((std::bit_cast<uint32_t>(shifted) + 127u) << 23);  // p is NaN where x is
}

}  // namespace seq2seq_kit::kernels
