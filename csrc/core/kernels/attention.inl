#include "core/kernels/lanes.inl"

static inline int64_t begin_of(const Positions& positions, int64_t i) {
  return (positions.places ? positions.places[i] : i) * positions.stride;
}

static inline float dot(const float* a, const float* b, int64_t size) {
  Lanes sums = all(0);
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) sums = sums + load(a + i) * load(b + i);
  if (i < size) sums = sums + load(a + i, size - i, 0) * load(b + i, size - i, 0);
  return sum(sums);
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
  float max = kNone;
  for (int64_t i = 0; i < count; ++i) {
    weights[i] = dot(query, positions.keys + begin_of(positions, i), size) * scale + (bias ? bias[i] : 0);
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
