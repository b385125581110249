#include "core/kernels/row.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

// GCC and Clang compile each of these functions once per instruction set and pick one when the library is loaded
// (glibc's indirect functions, which run before a sanitizer is ready).
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(SEQ2SEQ_KIT_SANITIZE)
#define PER_ISA __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#define INLINE __attribute__((always_inline)) inline
#else
#define PER_ISA
#define INLINE inline
#endif

namespace seq2seq_kit::kernels {
namespace {

constexpr int64_t kLanes = 16;  // partial sums: a vector of AVX-512, two of AVX2

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

}  // namespace

PER_ISA float block_maxima(const float* row, int64_t size, float* maxima) {
  float greatest = -std::numeric_limits<float>::infinity();
  for (int64_t start = 0; start < size; start += kBlock) {
    float lanes[kLanes];
    std::fill(lanes, lanes + kLanes, -std::numeric_limits<float>::infinity());
    const float* block = row + start;
    const int64_t length = std::min(kBlock, size - start);
    int64_t i = 0;
    for (; i + kLanes <= length; i += kLanes) {
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        const float x = block[i + lane];
        lanes[lane] = x > lanes[lane] ? x : lanes[lane];
      }
    }
    for (; i < length; ++i) lanes[0] = std::max(lanes[0], block[i]);
    float max = lanes[0];
    for (int64_t lane = 1; lane < kLanes; ++lane) max = std::max(max, lanes[lane]);
    *maxima++ = max;
    greatest = std::max(greatest, max);
  }
  return greatest;
}

PER_ISA float log_sum_exp(const float* row, int64_t size, float max, float scale) {
  constexpr int64_t kChunk = 64 * kLanes;  // short sums in float32, their sum in double: accurate for any vocabulary
  double total = 0;
  for (int64_t start = 0; start < size; start += kChunk) {
    const int64_t end = std::min(start + kChunk, size);
    float lanes[kLanes] = {};
    int64_t i = start;
    for (; i + kLanes <= end; i += kLanes) {
      for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += exp_of_negative((row[i + lane] - max) * scale);
    }
    for (int64_t lane = 0; i < end; ++i, ++lane) lanes[lane] += exp_of_negative((row[i] - max) * scale);
    for (int64_t width = kLanes / 2; width > 0; width /= 2) {
      for (int64_t lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
    }
    total += lanes[0];
  }
  return static_cast<float>(std::log(total));
}

PER_ISA bool has_nan(const float* row, int64_t size) {
  int32_t found = 0;
  for (int64_t i = 0; i < size; ++i) found |= row[i] != row[i];
  return found != 0;
}

}  // namespace seq2seq_kit::kernels
