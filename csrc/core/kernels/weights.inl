#include "core/kernels/lanes.inl"

typedef int32_t Ints __attribute__((vector_size(KERNEL_BYTES)));

/// Sums of whole numbers below 2^30, a block at a time: the upper halves and the lower halves apart, none of which can
/// overflow.
struct BlockSum {
  Ints low[kParts] = {}, high[kParts] = {};

  void add(Ints x, int64_t part) __attribute__((always_inline)) {
    low[part] += x & 0xffff;
    high[part] += x >> 16;
  }

  int64_t total() const __attribute__((always_inline)) {
    int64_t sum = 0;
    for (int64_t part = 0; part < kParts; ++part) {
      for (int64_t i = 0; i < kWidth; ++i) sum += low[part][i] + (static_cast<int64_t>(high[part][i]) << 16);
    }
    return sum;
  }
};

/// Sixteen numbers into memory, or the first `count` of them.
template <typename Parts, typename Number>
static inline __attribute__((always_inline)) void store(const Parts& parts, int64_t count, Number* to) {
  static_assert(sizeof parts == kLanes * sizeof(Number));
  if (count == kLanes) {
    __builtin_memcpy(to, &parts, sizeof parts);
  } else {
    __builtin_memcpy(to, &parts, count * sizeof(Number));
  }
}

/// A register of numbers from memory, or the first `count` of them and zeros.
static inline __attribute__((always_inline)) Ints load_ints(const int32_t* from, int64_t count) {
  Ints ints = {};
  if (count >= kWidth) {
    __builtin_memcpy(&ints, from, sizeof ints);
  } else if (count > 0) {
    __builtin_memcpy(&ints, from, count * sizeof(int32_t));
  }
  return ints;
}

static inline Vector scaled(Vector d) { return exp_of_negative(-d) * static_cast<float>(kOne); }

static inline Ints rounded(Vector x) { return __builtin_convertvector(x + 0.5f, Ints); }

void weights(const float* row, int64_t size, float max, int32_t* weights) {
  for (int64_t i = 0; i < size; i += kLanes) {
    const int64_t count = size - i < kLanes ? size - i : kLanes;
    const Lanes scores = count == kLanes ? load(row + i) : load(row + i, count, kNone);
    Ints parts[kParts];
    for (int64_t part = 0; part < kParts; ++part) parts[part] = rounded(scaled(max - scores.parts[part]));
    store(parts, count, weights + i);
  }
}

static inline Vector far(Vector x, float max, float centre) {
  const Vector d = (max - x) - centre;
  return d < 0 ? -d : d;
}

void distances(const float* row, int64_t size, float max, float centre, float steps, int32_t most, int32_t* distances) {
  const Vector last = Vector{} + static_cast<float>(most);
  for (int64_t i = 0; i < size; i += kLanes) {
    const int64_t count = size - i < kLanes ? size - i : kLanes;
    const Lanes scores = count == kLanes ? load(row + i) : load(row + i, count, kNone);
    Ints parts[kParts];
    for (int64_t part = 0; part < kParts; ++part) {
      const Vector steps_far = far(scores.parts[part], max, centre) * steps;
      parts[part] = __builtin_convertvector(steps_far < last ? steps_far : last, Ints);
    }
    store(parts, count, distances + i);
  }
}

/// What `weigh` and its variants share; inlined into each, so that nothing is computed in vain.
static inline __attribute__((always_inline)) Mass weigh_row(const float* row, int64_t size, float max,
                                                            const float* maxima, int64_t* sums, int32_t* weights,
                                                            bool with_surprisal) {
  Mass mass;
  for (int64_t start = 0; start < size; start += kBlock, ++maxima, ++sums) {
    *sums = 0;
    if (!(max - *maxima <= kWeightless)) continue;
    const int64_t end = start + kBlock < size ? start + kBlock : size;
    BlockSum weight, surprisal;
    for (int64_t i = start; i < end; i += kLanes) {
      const int64_t count = end - i < kLanes ? end - i : kLanes;
      const Lanes scores = count == kLanes ? load(row + i) : load(row + i, count, kNone);
      Ints parts[kParts];
      for (int64_t part = 0; part < kParts; ++part) {
        const Vector d = max - scores.parts[part];
        const Vector w = scaled(d);
        parts[part] = rounded(w);
        weight.add(parts[part], part);
        if (with_surprisal) surprisal.add(rounded(w >= 0.5f ? w * d : Vector{}), part);
      }
      if (weights) store(parts, count, weights + i);
    }
    *sums = weight.total();
    mass.weight += *sums;
    if (with_surprisal) mass.surprisal += surprisal.total();
  }
  return mass;
}

int64_t weigh(const float* row, int64_t size, float max, const float* maxima, int64_t* sums) {
  return weigh_row(row, size, max, maxima, sums, nullptr, false).weight;
}

int64_t weigh_and_store(const float* row, int64_t size, float max, const float* maxima, int64_t* sums,
                        int32_t* weights) {
  return weigh_row(row, size, max, maxima, sums, weights, false).weight;
}

Mass weigh_with_surprisal(const float* row, int64_t size, float max, const float* maxima, int64_t* sums,
                          int32_t* weights) {
  return weigh_row(row, size, max, maxima, sums, weights, true);
}

/// What both `keep`s do with a block that holds something to keep: its greatest score, and the sum of its weights.
static inline __attribute__((always_inline)) float keep_block(float* row, int64_t size, float max, float centre,
                                                              float radius, const int32_t* weights, int64_t* sum) {
  Lanes most = all(kNone);
  BlockSum weight;
  for (int64_t i = 0; i < size; i += kLanes) {
    const int64_t count = size - i < kLanes ? size - i : kLanes;
    Lanes scores = count == kLanes ? load(row + i) : load(row + i, count, kNone);
    for (int64_t part = 0; part < kParts; ++part) {
      Vector& x = scores.parts[part];
      const Ints near = far(x, max, centre) <= radius;
      x = near ? x : Vector{} + kNone;
      if (weights) weight.add(load_ints(weights + i + part * kWidth, count - part * kWidth) & near, part);
    }
    most = greater(most, scores);
    store(scores, count, row + i);
  }
  if (weights) *sum = weight.total();
  return greatest(most);
}

/// What both `keep`s share; `weights` and `sums` may be null.
static inline __attribute__((always_inline)) int64_t keep_row(float* row, int64_t size, float max, float centre,
                                                              float radius, float* maxima, const int32_t* weights,
                                                              int64_t* sums) {
  int64_t total = 0;
  for (int64_t start = 0, block = 0; start < size; start += kBlock, ++block) {
    if (maxima[block] == kNone) continue;
    const int64_t count = size - start < kBlock ? size - start : kBlock;
    if (!((max - maxima[block]) - centre <= radius)) {  // all of the block lies too low
      for (int64_t i = start; i < start + count; ++i) row[i] = kNone;
      maxima[block] = kNone;
      if (sums) sums[block] = 0;
    } else if (sums && sums[block] > 0) {
      maxima[block] = keep_block(row + start, count, max, centre, radius, weights + start, sums + block);
      total += sums[block];
    } else {
      maxima[block] = keep_block(row + start, count, max, centre, radius, nullptr, nullptr);
    }
  }
  return total;
}

void keep(float* row, int64_t size, float max, float centre, float radius, float* maxima) {
  keep_row(row, size, max, centre, radius, maxima, nullptr, nullptr);
}

int64_t keep_weighed(float* row, int64_t size, float max, float centre, float radius, float* maxima,
                     const int32_t* weights, int64_t* sums) {
  return keep_row(row, size, max, centre, radius, maxima, weights, sums);
}

static inline bool any(Ints mask) {
  uint64_t words[KERNEL_BYTES / 8], found = 0;
  __builtin_memcpy(words, &mask, sizeof mask);
  for (const uint64_t word : words) found |= word;
  return found != 0;
}

/// Calls `visit` for the tokens of a row, in order, that `test` may be true of: it is asked with vectors of scores.
template <typename Test, typename Visit>
static inline __attribute__((always_inline)) void for_each_match(const float* row, int64_t size, const Test& test,
                                                                 const Visit& visit) {
  constexpr int64_t kTogether = 4 * kLanes;  // most hold nothing
  int64_t i = 0;
  for (; i + kTogether <= size; i += kTogether) {
    Ints matches[4] = {};
    for (int64_t j = 0; j < 4; ++j) {
      const Lanes lanes = load(row + i + j * kLanes);
      for (const Vector& x : lanes.parts) matches[j] |= test(x);
    }
    if (!any(matches[0] | matches[1] | matches[2] | matches[3])) continue;
    for (int64_t j = 0; j < 4; ++j) {
      if (!any(matches[j])) continue;
      for (int64_t k = 0; k < kLanes; ++k) visit(i + j * kLanes + k);
    }
  }
  for (; i < size; ++i) visit(i);
}

int64_t at_least(const float* row, int64_t size, float least, float* found) {
  int64_t count = 0;
  const auto test = [&](Vector x) __attribute__((always_inline)) { return x >= least; };
  const auto visit = [&](int64_t i) __attribute__((always_inline)) {
    found[count] = row[i];
    count += row[i] >= least;
  };
  for_each_match(row, size, test, visit);
  return count;
}

int64_t between(const float* row, int64_t size, float max, float centre, float from, float to, int32_t* found) {
  int64_t count = 0;
  const auto test = [&](Vector x) __attribute__((always_inline)) {
    const Vector distance = far(x, max, centre);
    return (distance >= from) & (distance < to);
  };
  const auto visit = [&](int64_t i) __attribute__((always_inline)) {
    const float d = (max - row[i]) - centre, distance = d < 0 ? -d : d;
    found[count] = static_cast<int32_t>(i);
    count += static_cast<int>(distance >= from) & static_cast<int>(distance < to);
  };
  for_each_match(row, size, test, visit);
  return count;
}
