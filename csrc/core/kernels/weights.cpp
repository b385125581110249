#include "core/kernels/weights.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/kernels/per_isa.h"

namespace seq2seq_kit::kernels {
namespace {

constexpr float kImpossible = -std::numeric_limits<float>::infinity();
constexpr int64_t kLanes = 16;

struct Lanes {
  int64_t weight[kLanes] = {};
  int64_t surprisal[kLanes] = {};
};

/// Adds the sums of kLanes scores.
INLINE void add(const float* scores, float max, Lanes& lanes) {
  int32_t weights[kLanes], surprisals[kLanes];
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    const float d = max - scores[lane];
    const float e = exp_of_negative(-d) * kOne;
    const bool weighs = e >= 0.5f;
    weights[lane] = static_cast<int32_t>(e + 0.5f);
    surprisals[lane] = static_cast<int32_t>((weighs ? e * d : 0.0f) + 0.5f);
  }
  for (int64_t lane = 0; lane < kLanes; ++lane) lanes.weight[lane] += weights[lane];
  for (int64_t lane = 0; lane < kLanes; ++lane) lanes.surprisal[lane] += surprisals[lane];
}

}  // namespace

PER_ISA Mass weigh(const float* row, int64_t size, float max, const float* maxima, int64_t* sums) {
  Mass mass;
  for (int64_t start = 0; start < size; start += kBlock, ++maxima, ++sums) {
    *sums = 0;
    if (!(max - *maxima <= kWeightless)) continue;
    Lanes lanes;
    const int64_t end = std::min(start + kBlock, size);
    int64_t i = start;
    for (; i + kLanes <= end; i += kLanes) add(row + i, max, lanes);
    if (i < end) {
      float rest[kLanes];
      std::fill(std::copy(row + i, row + end, rest), rest + kLanes, kImpossible);
      add(rest, max, lanes);
    }
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      *sums += lanes.weight[lane];
      mass.surprisal += lanes.surprisal[lane];
    }
    mass.weight += *sums;
  }
  return mass;
}

PER_ISA void keep(float* row, int64_t size, float max, float centre, float radius, float* maxima) {
  for (int64_t start = 0; start < size; start += kBlock, ++maxima) {
    const int64_t end = std::min(start + kBlock, size);
    if (!((max - *maxima) - centre <= radius)) {  // all of the block lies too low
      std::fill(row + start, row + end, kImpossible);
      *maxima = kImpossible;
      continue;
    }
    for (int64_t i = start; i < end; ++i) {
      row[i] = std::fabs((max - row[i]) - centre) <= radius ? row[i] : kImpossible;
    }
    block_maxima(row + start, end - start, maxima);
  }
}

}  // namespace seq2seq_kit::kernels
