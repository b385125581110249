#include "core/kernels/lanes.inl"
#include "core/kernels/sigmoid.inl"

/// Sixteen numbers, or the first `left` of them and zeros.
static inline __attribute__((always_inline)) Lanes load_left(const float* from, int64_t left) {
  return left > 0 ? load_some(from, left) : all(0);
}

/// How numbers are kept: `kTimes` times sixteen of them in sixteen words, of which `left` hold some.
struct KeptFp32 {
  static constexpr int64_t kTimes = 1;

  static inline __attribute__((always_inline)) void read(const uint32_t* words, int64_t left, Lanes* lanes) {
    lanes[0] = load_some(reinterpret_cast<const float*>(words), left);
  }
};

struct KeptBf16 {
  static constexpr int64_t kTimes = 2;

  static inline __attribute__((always_inline)) void read(const uint32_t* words, int64_t, Lanes* lanes) {
    for (int64_t part = 0; part < kParts; ++part) {
      Words both;
      __builtin_memcpy(&both, words + part * kWidth, sizeof both);
      lanes[0].parts[part] = (Vector)(both << 16);
      lanes[1].parts[part] = (Vector)(both & 0xffff0000u);
    }
  }
};

/// Rounded to bfloat16, in the upper halves: to the nearest, ties to even; NaN stays NaN.
static inline Words to_bf16(Vector x) {
  const Words bits = (Words)x;
  return (x == x ? bits + 0x7fffu + (bits >> 16 & 1u) : bits | 0x400000u) & 0xffff0000u;
}

void keep_bf16(const float* vector, int64_t size, uint32_t* words) {
  for (int64_t at = 0; at < size; at += 2 * kLanes, words += kLanes) {
    const Lanes low = load_left(vector + at, size - at), high = load_left(vector + at + kLanes, size - at - kLanes);
    for (int64_t part = 0; part < kParts; ++part) {
      const Words both = to_bf16(low.parts[part]) >> 16 | to_bf16(high.parts[part]);
      __builtin_memcpy(words + part * kWidth, &both, sizeof both);
    }
  }
}

static inline int64_t begin_of(const Positions& positions, int64_t i) {
  return (positions.places ? positions.places[i] : i) * positions.stride;
}

/// Asks for memory that is read soon.
static inline __attribute__((always_inline)) void fetch(const uint32_t* from, int64_t words) {
  for (int64_t i = 0; i < words; i += kLanes) __builtin_prefetch(from + i, 0, 2);
}

/// sums += query * key of `kTogether` positions, for the words from `word` on, of which `left` hold numbers.
template <typename Kind, int64_t kTogether>
static inline __attribute__((always_inline)) void add_products(const float* query, int64_t numbers,
                                                               const uint32_t* const* keys, int64_t word, int64_t left,
                                                               Lanes* sums) {
  Lanes part[Kind::kTimes];
#pragma GCC unroll 2
  for (int64_t j = 0; j < Kind::kTimes; ++j) {
    part[j] = load_left(query + (word * Kind::kTimes) + j * kLanes, numbers - j * kLanes);
  }
#pragma GCC unroll 4
  for (int64_t i = 0; i < kTogether; ++i) {
    Lanes key[Kind::kTimes];
    Kind::read(keys[i] + word, left, key);
#pragma GCC unroll 2
    for (int64_t j = 0; j < Kind::kTimes; ++j) sums[i] = sums[i] + part[j] * key[j];
  }
}

/// scale * query · key of `kTogether` positions from `first` on. Of those that lie anywhere the processor cannot guess
/// where the next ones are: they are fetched, and the values.
template <typename Kind, int64_t kTogether>
static inline __attribute__((always_inline)) void score(const float* query, int64_t size, const Positions& positions,
                                                        int64_t first, float scale, float* scores) {
  constexpr int64_t kNumbers = Kind::kTimes * kLanes;
  const int64_t words = words_of(positions.kept, size);
  const uint32_t* keys[kTogether];
  Lanes sums[kTogether];
#pragma GCC unroll 4
  for (int64_t i = 0; i < kTogether; ++i) {
    const int64_t begin = begin_of(positions, first + i), next = first + i + kTogether;
    keys[i] = positions.keys + begin;
    sums[i] = all(0);
    if (!positions.places) continue;
    fetch(positions.values + begin, words);
    if (next < positions.count) fetch(positions.keys + begin_of(positions, next), words);
  }
  int64_t at = 0, word = 0;
  for (; at + kNumbers <= size; at += kNumbers, word += kLanes) {
    add_products<Kind, kTogether>(query, kNumbers, keys, word, kLanes, sums);
  }
  if (at < size) add_products<Kind, kTogether>(query, size - at, keys, word, words - word, sums);
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

/// `kTogether` times sixteen words of the context, of which the last ones may hold but `left` numbers, over all
/// positions.
template <typename Kind, int64_t kTogether, bool kWhole>
static inline __attribute__((always_inline)) void mix(const Positions& positions, const float* weights, int64_t word,
                                                      int64_t left, float* context) {
  constexpr int64_t kSums = kTogether * Kind::kTimes;
  Lanes sums[kSums];
#pragma GCC unroll 4
  for (int64_t j = 0; j < kSums; ++j) sums[j] = all(0);
  for (int64_t i = 0; i < positions.count; ++i) {
    const uint32_t* value = positions.values + begin_of(positions, i) + word;
    const Lanes weight = all(weights[i]);
#pragma GCC unroll 4
    for (int64_t j = 0; j < kTogether; ++j) {
      Lanes part[Kind::kTimes];
      Kind::read(value + j * kLanes, kWhole ? kLanes : left, part);
#pragma GCC unroll 2
      for (int64_t k = 0; k < Kind::kTimes; ++k) {
        Lanes& sum = sums[j * Kind::kTimes + k];
        sum = sum + weight * part[k];
      }
    }
  }
#pragma GCC unroll 4
  for (int64_t j = 0; j < kSums; ++j) {
    const int64_t count = kWhole ? kLanes : left - j * kLanes;
    if (count > 0) store_some(sums[j], context + word * Kind::kTimes + j * kLanes, count);
  }
}

/// context [size] = Σ weights * value.
template <typename Kind>
static inline __attribute__((always_inline)) void mix(const Positions& positions, const float* weights, int64_t size,
                                                      float* context) {
  constexpr int64_t kTogether = 4 / Kind::kTimes, kNumbers = 4 * kLanes;
  int64_t at = 0;
  for (; at + kNumbers <= size; at += kNumbers) {
    mix<Kind, kTogether, true>(positions, weights, at / Kind::kTimes, kNumbers, context);
  }
  for (; at < size; at += Kind::kTimes * kLanes) {
    mix<Kind, 1, false>(positions, weights, at / Kind::kTimes, size - at, context);
  }
}

template <typename Kind>
static inline __attribute__((always_inline)) void attend(const float* query, int64_t size, int64_t value_size,
                                                         const Positions& positions, float scale, const float* bias,
                                                         float* weights, float* context) {
  int64_t scored = 0;
  for (; scored + 4 <= positions.count; scored += 4) score<Kind, 4>(query, size, positions, scored, scale, weights);
  for (; scored < positions.count; ++scored) score<Kind, 1>(query, size, positions, scored, scale, weights);
  softmax(weights, positions.count, bias);
  mix<Kind>(positions, weights, value_size, context);
}

void attend_fp32(const float* query, int64_t size, int64_t value_size, const Positions& positions, float scale,
                 const float* bias, float* weights, float* context) {
  attend<KeptFp32>(query, size, value_size, positions, scale, bias, weights, context);
}

void attend_bf16(const float* query, int64_t size, int64_t value_size, const Positions& positions, float scale,
                 const float* bias, float* weights, float* context) {
  attend<KeptBf16>(query, size, value_size, positions, scale, bias, weights, context);
}

void attend_additively(const float* query, const float* energy, int64_t size, int64_t value_size,
                       const Positions& positions, float* weights, float* context) {
  for (int64_t i = 0; i < positions.count; ++i) {
    const uint32_t* key = positions.keys + begin_of(positions, i);
    Lanes sums = all(0);
    for (int64_t at = 0; at < size; at += kLanes) {
      Lanes numbers;
      KeptFp32::read(key + at, size - at, &numbers);
      Lanes both = load_some(query + at, size - at) + numbers;
      for (Vector& part : both.parts) part = tanh_of(part);
      sums = sums + load_some(energy + at, size - at) * both;
    }
    weights[i] = sum(sums);
  }
  softmax(weights, positions.count, nullptr);
  mix<KeptFp32>(positions, weights, value_size, context);
}
