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

/// Queries for which keys and values are read once. Registers must hold their sums.
constexpr int64_t kQueriesTogether = KERNEL_BYTES == 64 ? 4 : 1;

/// Scores that are summed up at a time.
constexpr int64_t kSums = KERNEL_BYTES == 64 ? 16 : 4;

/// Where the keys and values of a query lie.
struct Places {
  const int32_t* first;
  int64_t stride;

  Places(const Positions& positions, int64_t row) : first(positions.places), stride(positions.stride) {
    if (first) first += row * positions.count;
  }

  /// Words before position i.
  int64_t operator()(int64_t i) const { return (first ? first[i] : i) * stride; }
};

/// Asks for memory that is read soon.
static inline __attribute__((always_inline)) void fetch(const uint32_t* from, int64_t words) {
  for (int64_t i = 0; i < words; i += kLanes) __builtin_prefetch(from + i, 0, 2);
}

#if KERNEL_BYTES == 64
/// Numbers of two registers, side by side, each the sum of two: quarters of a register, or numbers of a quarter.
template <int kFirst, int kSecond>
static inline __attribute__((always_inline)) Vector add_quarters(Vector a, Vector b) {
  return _mm512_maskz_shuffle_f32x4(0xffff, a, b, kFirst) + _mm512_maskz_shuffle_f32x4(0xffff, a, b, kSecond);
}
template <int kFirst, int kSecond>
static inline __attribute__((always_inline)) Vector add_numbers(Vector a, Vector b) {
  return _mm512_maskz_shuffle_ps(0xffff, a, b, kFirst) + _mm512_maskz_shuffle_ps(0xffff, a, b, kSecond);
}
#endif

/// The `sum` of each of the first `kCount`, to the bit, and numbers without meaning behind them.
template <int64_t kCount>
static inline __attribute__((always_inline)) Lanes each_sum(const Lanes* of) {
#if KERNEL_BYTES == 64
  if constexpr (kCount == kLanes) {
    Vector x[kLanes];
#pragma GCC unroll 16
    for (int64_t i = 0; i < kLanes; ++i) {  // to come out in order
      x[i] = of[(i & 4) << 1 | (i & 8) >> 1 | (i & 1) << 1 | (i & 2) >> 1].parts[0];
    }
#pragma GCC unroll 8
    for (int64_t i = 0; i < 8; ++i) x[i] = add_quarters<0x44, 0xee>(x[i], x[i + 8]);
#pragma GCC unroll 4
    for (int64_t i = 0; i < 4; ++i) x[i] = add_quarters<0x88, 0xdd>(x[i], x[i + 4]);
#pragma GCC unroll 2
    for (int64_t i = 0; i < 2; ++i) x[i] = add_numbers<0x44, 0xee>(x[i], x[i + 2]);
    Lanes sums;
    sums.parts[0] = add_numbers<0x88, 0xdd>(x[0], x[1]);
    return sums;
  }
#endif
  float sums[kLanes] = {};
#pragma GCC unroll 16
  for (int64_t i = 0; i < kCount; ++i) sums[i] = sum(of[i]);
  return load(sums);
}

/// sums [kQueries, kPositions] += query * key, for the words from `word` on, of which `left` hold some of `numbers`.
template <typename Kind, int64_t kQueries, int64_t kPositions>
static inline __attribute__((always_inline)) void add_products(const Queries& queries, int64_t numbers,
                                                               const uint32_t* const* keys, int64_t word, int64_t left,
                                                               Lanes* sums) {
  Lanes part[kQueries][Kind::kTimes];
#pragma GCC unroll 4
  for (int64_t q = 0; q < kQueries; ++q) {
#pragma GCC unroll 2
    for (int64_t j = 0; j < Kind::kTimes; ++j) {
      const float* from = queries.queries + q * queries.stride + word * Kind::kTimes + j * kLanes;
      part[q][j] = load_left(from, numbers - j * kLanes);
    }
  }
#pragma GCC unroll 16
  for (int64_t i = 0; i < kPositions; ++i) {
    Lanes key[Kind::kTimes];
    Kind::read(keys[i] + word, left, key);
#pragma GCC unroll 4
    for (int64_t q = 0; q < kQueries; ++q) {
      Lanes& sum = sums[q * kPositions + i];
#pragma GCC unroll 2
      for (int64_t j = 0; j < Kind::kTimes; ++j) sum = sum + part[q][j] * key[j];
    }
  }
}

/// scale * query · key of at most `kPositions` positions from `first` on, before `last`. Where they lie anywhere, the
/// processor cannot guess the next ones: they are fetched, and the values.
template <typename Kind, int64_t kQueries, int64_t kPositions>
static inline __attribute__((always_inline)) void score(const Queries& queries, int64_t size,
                                                        const Positions& positions, const Places& places, int64_t first,
                                                        int64_t last, float scale) {
  constexpr int64_t kNumbers = Kind::kTimes * kLanes;
  const int64_t words = words_of(positions.kept, size);
  const uint32_t* keys[kPositions];
  Lanes sums[kQueries * kPositions];
#pragma GCC unroll 16
  for (int64_t i = 0; i < kQueries * kPositions; ++i) sums[i] = all(0);
#pragma GCC unroll 16
  for (int64_t i = 0; i < kPositions; ++i) {
    const int64_t position = first + i < last ? first + i : last - 1, next = first + i + kPositions;
    const int64_t begin = places(position);
    keys[i] = positions.keys + begin;
    if (!places.first) continue;
    fetch(positions.values + begin, words);
    if (next < last) fetch(positions.keys + places(next), words);
  }
  int64_t at = 0, word = 0;
  for (; at + kNumbers <= size; at += kNumbers, word += kLanes) {
    add_products<Kind, kQueries, kPositions>(queries, kNumbers, keys, word, kLanes, sums);
  }
  if (at < size) add_products<Kind, kQueries, kPositions>(queries, size - at, keys, word, words - word, sums);
  const Lanes scores = each_sum<kQueries * kPositions>(sums) * all(scale);
  const int64_t count = last - first;
  if constexpr (kQueries == 1 && kPositions == kLanes) {
    store_some(scores, queries.weights + first, count);
  } else {
    float in_order[kLanes];
    store_some(scores, in_order, kLanes);
    for (int64_t q = 0; q < kQueries; ++q) {
      float* to = queries.weights + q * positions.count + first;
      if (count >= kPositions) {
        __builtin_memcpy(to, in_order + q * kPositions, kPositions * sizeof *to);
      } else {
        for (int64_t i = 0; i < count; ++i) to[i] = in_order[q * kPositions + i];
      }
    }
  }
}

/// The scores of all positions from `first` on, before `last`.
template <typename Kind, int64_t kQueries>
static inline __attribute__((always_inline)) void score_all(const Queries& queries, int64_t size,
                                                            const Positions& positions, const Places& places,
                                                            int64_t first, int64_t last, float scale) {
  constexpr int64_t kPositions = kSums / kQueries, kFew = 4;
  while (kPositions <= kFew ? first < last : last - first > kPositions / 2) {
    score<Kind, kQueries, kPositions>(queries, size, positions, places, first, last, scale);
    first += kPositions;
  }
  if constexpr (kPositions > kFew) {
    for (; first < last; first += kFew) {
      score<Kind, kQueries, kFew>(queries, size, positions, places, first, last, scale);
    }
  }
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

/// `kTogether` times sixteen words of contexts, of which the last ones may hold but `left` numbers: sums over the
/// positions from `first` on, before `last`, added to what there is of those before.
template <typename Kind, int64_t kQueries, int64_t kTogether, bool kWhole>
static inline __attribute__((always_inline)) void mix(const Queries& queries, const Positions& positions,
                                                      const Places& places, int64_t first, int64_t last, int64_t word,
                                                      int64_t left) {
  constexpr int64_t kVectors = kTogether * Kind::kTimes;
  float* const contexts = queries.contexts + word * Kind::kTimes;
  Lanes sums[kQueries][kVectors];
#pragma GCC unroll 4
  for (int64_t q = 0; q < kQueries; ++q) {
#pragma GCC unroll 4
    for (int64_t j = 0; j < kVectors; ++j) {
      const float* const context = contexts + q * queries.context_stride + j * kLanes;
      sums[q][j] = first == 0 ? all(0) : load_left(context, kWhole ? kLanes : left - j * kLanes);
    }
  }
  for (int64_t i = first; i < last; ++i) {
    const uint32_t* const value = positions.values + places(i) + word;
    Lanes parts[kVectors];
#pragma GCC unroll 4
    for (int64_t j = 0; j < kTogether; ++j) {
      Kind::read(value + j * kLanes, kWhole ? kLanes : left, parts + j * Kind::kTimes);
    }
#pragma GCC unroll 4
    for (int64_t q = 0; q < kQueries; ++q) {
      const Lanes weight = all(queries.weights[q * positions.count + i]);
#pragma GCC unroll 4
      for (int64_t j = 0; j < kVectors; ++j) sums[q][j] = sums[q][j] + weight * parts[j];
    }
  }
#pragma GCC unroll 4
  for (int64_t q = 0; q < kQueries; ++q) {
#pragma GCC unroll 4
    for (int64_t j = 0; j < kVectors; ++j) {
      const int64_t count = kWhole ? kLanes : left - j * kLanes;
      if (count > 0) store_some(sums[q][j], contexts + q * queries.context_stride + j * kLanes, count);
    }
  }
}

/// contexts [kQueries, size] = Σ weights * value over the positions before `last`; those before `first` are done.
template <typename Kind, int64_t kQueries>
static inline __attribute__((always_inline)) void mix(const Queries& queries, int64_t size, const Positions& positions,
                                                      const Places& places, int64_t first, int64_t last) {
  if (first == last && first > 0) return;
  constexpr int64_t kTogether = 4 / Kind::kTimes, kNumbers = 4 * kLanes;
  int64_t at = 0;
  for (; at + kNumbers <= size; at += kNumbers) {
    mix<Kind, kQueries, kTogether, true>(queries, positions, places, first, last, at / Kind::kTimes, kNumbers);
  }
  for (; at < size; at += Kind::kTimes * kLanes) {
    mix<Kind, kQueries, 1, false>(queries, positions, places, first, last, at / Kind::kTimes, size - at);
  }
}

/// Positions with which the lists of places of `kQueriesTogether` queries begin.
static inline int64_t shared_positions(const Positions& positions, int64_t row) {
  if (!positions.places) return positions.count;
  const int32_t* const places = positions.places + row * positions.count;
  for (int64_t i = 0; i < positions.count; ++i) {
    for (int64_t q = 1; q < kQueriesTogether; ++q) {
      if (places[q * positions.count + i] != places[i]) return i;
    }
  }
  return positions.count;
}

template <typename Kind>
static inline __attribute__((always_inline)) void attend(const Queries& queries, int64_t size, int64_t value_size,
                                                         const Positions& positions, float scale, const float* bias,
                                                         int64_t bias_stride) {
  const int64_t count = positions.count;
  for (int64_t row = 0; row < queries.count;) {
    const bool together = queries.count - row >= kQueriesTogether;
    const int64_t rows = together ? kQueriesTogether : 1, shared = together ? shared_positions(positions, row) : 0;
    const Queries some = queries.from(row, count);
    const Places places(positions, row);
    if (shared > 0) score_all<Kind, kQueriesTogether>(some, size, positions, places, 0, shared, scale);
    for (int64_t q = 0; q < rows; ++q) {
      const Queries one = some.from(q, count);
      score_all<Kind, 1>(one, size, positions, {positions, row + q}, shared, count, scale);
      softmax(one.weights, count, bias ? bias + (row + q) * bias_stride : nullptr);
    }
    if (shared > 0) mix<Kind, kQueriesTogether>(some, value_size, positions, places, 0, shared);
    for (int64_t q = 0; q < rows; ++q) {
      mix<Kind, 1>(some.from(q, count), value_size, positions, {positions, row + q}, shared, count);
    }
    row += rows;
  }
}

void attend_fp32(const Queries& queries, int64_t size, int64_t value_size, const Positions& positions, float scale,
                 const float* bias, int64_t bias_stride) {
  attend<KeptFp32>(queries, size, value_size, positions, scale, bias, bias_stride);
}

void attend_bf16(const Queries& queries, int64_t size, int64_t value_size, const Positions& positions, float scale,
                 const float* bias, int64_t bias_stride) {
  attend<KeptBf16>(queries, size, value_size, positions, scale, bias, bias_stride);
}

void attend_additively(const float* query, const float* energy, int64_t size, int64_t value_size,
                       const Positions& positions, float* weights, float* context) {
  const Places places(positions, 0);
  for (int64_t i = 0; i < positions.count; ++i) {
    const uint32_t* key = positions.keys + places(i);
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
  mix<KeptFp32, 1>({query, 1, 0, weights, context, 0}, value_size, positions, places, 0, positions.count);
}
