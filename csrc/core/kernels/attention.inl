#include "core/kernels/lanes.inl"

#include "core/kernels/sigmoid.inl"

static inline int64_t begin_of(const Positions& positions, int64_t i) {
  return (positions.places ? positions.places[i] : i) * positions.stride;
}

/// Asks for memory that is read soon.
static inline __attribute__((always_inline)) void fetch(const float* from, int64_t size) {
  for (int64_t i = 0; i < size; i += kLanes) __builtin_prefetch(from + i, 0, 2);
}

/// scale * query · key of `kTogether` positions from `first` on. Of those that lie anywhere the processor cannot guess
/// where the next ones are: they are fetched, and the values.
template <int64_t kTogether>
static inline __attribute__((always_inline)) void score(const float* query, int64_t size, const Positions& positions,
                                                        int64_t first, float scale, float* scores) {
  const float* keys[kTogether];
  Lanes sums[kTogether];
#pragma GCC unroll 4
  for (int64_t i = 0; i < kTogether; ++i) {
    const int64_t begin = begin_of(positions, first + i), next = first + i + kTogether;
    keys[i] = positions.keys + begin;
    sums[i] = all(0);
    if (!positions.places) continue;
    fetch(positions.values + begin, size);
    if (next < positions.count) fetch(positions.keys + begin_of(positions, next), size);
  }
  int64_t at = 0;
  for (; at + kLanes <= size; at += kLanes) {
    const Lanes part = load(query + at);
#pragma GCC unroll 4
    for (int64_t i = 0; i < kTogether; ++i) sums[i] = sums[i] + part * load(keys[i] + at);
  }
  if (at < size) {
    const Lanes part = load(query + at, size - at, 0);
    for (int64_t i = 0; i < kTogether; ++i) sums[i] = sums[i] + part * load(keys[i] + at, size - at, 0);
  }
#pragma GCC unroll 4
  for (int64_t i = 0; i < kTogether; ++i) scores[first + i] = sum(sums[i]) * scale;
}

/// In the place of scores, softmax(scores + bias).
static inline void softmax(float* scores, int64_t count, const float* bias) {
  Lanes most = all(kNone);
  for (int64_t i = 0; i < count; i += kLanes) {
    Lanes x = load_some(scores + i, count - i, kNone);
    if (bias) {
      x = x + load_some(bias + i, count - i);
      store_some(x, scores + i, count - i);
    }
    most = greater(most, x);
  }
  const float max = greatest(most), from = max == kNone ? 0 : max;  // exp(-inf) where nothing may be looked at
  Lanes sums = all(0);
  for (int64_t i = 0; i < count; i += kLanes) {
    Lanes x = load_some(scores + i, count - i, kNone);
    for (Vector& part : x.parts) part = exp_of_negative(part - from);
    sums = sums + x;
    store_some(x, scores + i, count - i);
  }
  const float total = sum(sums);
  const Lanes share = all(total == 0 ? 0 : 1 / total);
  for (int64_t i = 0; i < count; i += kLanes) {
    store_some(load_some(scores + i, count - i) * share, scores + i, count - i);
  }
}

/// `kTogether` times sixteen numbers of the context, or the first `left` of sixteen, over all positions.
template <int64_t kTogether>
static inline __attribute__((always_inline)) void mix(const Positions& positions, const float* weights, int64_t at,
                                                      int64_t left, float* context) {
  const bool whole = left >= kTogether * kLanes;
  Lanes sums[kTogether];
#pragma GCC unroll 4
  for (int64_t j = 0; j < kTogether; ++j) sums[j] = all(0);
  for (int64_t i = 0; i < positions.count; ++i) {
    const float* value = positions.values + begin_of(positions, i) + at;
    const Lanes weight = all(weights[i]);
#pragma GCC unroll 4
    for (int64_t j = 0; j < kTogether; ++j) {
      sums[j] = sums[j] + weight * (whole ? load(value + j * kLanes) : load(value, left, 0));
    }
  }
#pragma GCC unroll 4
  for (int64_t j = 0; j < kTogether; ++j) store_some(sums[j], context + at + j * kLanes, whole ? kLanes : left);
}

/// context [size] = Σ weights * value.
static inline void mix(const Positions& positions, const float* weights, int64_t size, float* context) {
  int64_t at = 0;
  for (; at + 4 * kLanes <= size; at += 4 * kLanes) mix<4>(positions, weights, at, 4 * kLanes, context);
  for (; at < size; at += kLanes) mix<1>(positions, weights, at, size - at, context);
}

void attend(const float* query, int64_t size, int64_t value_size, const Positions& positions, float scale,
            const float* bias, float* weights, float* context) {
  int64_t scored = 0;
  for (; scored + 4 <= positions.count; scored += 4) score<4>(query, size, positions, scored, scale, weights);
  for (; scored < positions.count; ++scored) score<1>(query, size, positions, scored, scale, weights);
  softmax(weights, positions.count, bias);
  mix(positions, weights, value_size, context);
}

void attend_additively(const float* query, const float* energy, int64_t size, int64_t value_size,
                       const Positions& positions, float* weights, float* context) {
  for (int64_t i = 0; i < positions.count; ++i) {
    const float* key = positions.keys + begin_of(positions, i);
    Lanes sums = all(0);
    for (int64_t at = 0; at < size; at += kLanes) {
      Lanes both = load_some(query + at, size - at) + load_some(key + at, size - at);
      for (Vector& part : both.parts) part = tanh_of(part);
      sums = sums + load_some(energy + at, size - at) * both;
    }
    weights[i] = sum(sums);
  }
  softmax(weights, positions.count, nullptr);
  mix(positions, weights, value_size, context);
}
