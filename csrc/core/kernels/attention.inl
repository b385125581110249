#include "core/kernels/lanes.inl"

static inline int64_t begin_of(const Positions& positions, int64_t i) {
  return (positions.places ? positions.places[i] : i) * positions.stride;
}

/// Asks for memory that is read soon: positions lie apart, and the processor cannot guess where the next one is.
static inline __attribute__((always_inline)) void fetch(const float* from, int64_t size) {
  for (int64_t i = 0; i < size; i += 16) __builtin_prefetch(from + i, 0, 2);
}

/// query · key of `kTogether` positions from `first` on.
template <int64_t kTogether>
static inline __attribute__((always_inline)) void score(const float* query, int64_t size, const Positions& positions,
                                                        int64_t first, float* scores) {
  const float* keys[kTogether];
  Lanes sums[kTogether];
#pragma GCC unroll 4
  for (int64_t i = 0; i < kTogether; ++i) {
    const int64_t begin = begin_of(positions, first + i);
    keys[i] = positions.keys + begin;
    sums[i] = all(0);
    fetch(positions.values + begin, size);
    if (first + i + kTogether < positions.count) fetch(positions.keys + begin_of(positions, first + i + kTogether), size);
  }
  for (int64_t at = 0; at < size; at += kLanes) {
    const Lanes part = load_some(query + at, size - at);
#pragma GCC unroll 4
    for (int64_t i = 0; i < kTogether; ++i) sums[i] = sums[i] + part * load_some(keys[i] + at, size - at);
  }
#pragma GCC unroll 4
  for (int64_t i = 0; i < kTogether; ++i) scores[first + i] = sum(sums[i]);
}

/// Replaces scores by exp(score - max) and returns their sum.
static inline float exp_all(float* scores, int64_t count, float max) {
  Lanes sums = all(0);
  for (int64_t i = 0; i < count; i += kLanes) {
    Lanes x = load_some(scores + i, count - i, kNone);
    for (int64_t part = 0; part < kParts; ++part) x.parts[part] = exp_of_negative(x.parts[part] - max);
    sums = sums + x;
    store_some(x, scores + i, count - i);
  }
  return sum(sums);
}

/// Registers of `kTogether` times sixteen numbers of the context, over all positions.
template <int64_t kTogether>
static inline __attribute__((always_inline)) void mix(const Positions& positions, const float* weights, int64_t at,
                                                      int64_t size, float* context) {
  Lanes sums[kTogether];
  for (Lanes& lanes : sums) lanes = all(0);
  for (int64_t i = 0; i < positions.count; ++i) {
    const float* value = positions.values + begin_of(positions, i) + at;
    for (int64_t j = 0; j < kTogether; ++j) {
      sums[j] = sums[j] + all(weights[i]) * load_some(value + j * kLanes, size - at - j * kLanes);
    }
  }
  for (int64_t j = 0; j < kTogether; ++j) store_some(sums[j], context + at + j * kLanes, size - at - j * kLanes);
}

void attend(const float* query, int64_t size, const Positions& positions, float scale, const float* bias,
            float* weights, float* context) {
  const int64_t count = positions.count;
  int64_t scored = 0;
  for (; scored + 4 <= count; scored += 4) score<4>(query, size, positions, scored, weights);
  for (; scored < count; ++scored) score<1>(query, size, positions, scored, weights);
  float max = kNone;
  for (int64_t i = 0; i < count; ++i) {
    weights[i] = weights[i] * scale + (bias ? bias[i] : 0);
    max = weights[i] > max ? weights[i] : max;
  }
  if (max == kNone) max = 0;  // nothing may be looked at: each weight becomes exp(-inf)
  const float total = exp_all(weights, count, max);
  const float share = total == 0 ? 0 : 1 / total;
  for (int64_t i = 0; i < count; ++i) weights[i] *= share;
  int64_t at = 0;
  for (; at + 4 * kLanes <= size; at += 4 * kLanes) mix<4>(positions, weights, at, size, context);
  for (; at < size; at += kLanes) mix<1>(positions, weights, at, size, context);
}
