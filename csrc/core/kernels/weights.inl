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

Mass weigh(const float* row, int64_t size, float max, const float* maxima, int64_t* sums) {
  Mass mass;
  for (int64_t start = 0; start < size; start += kBlock, ++maxima, ++sums) {
    *sums = 0;
    if (!(max - *maxima <= kWeightless)) continue;
    const int64_t end = start + kBlock < size ? start + kBlock : size;
    BlockSum weight, surprisal;
    for (int64_t i = start; i < end; i += kLanes) {
      const Lanes scores = end - i < kLanes ? load(row + i, end - i, kNone) : load(row + i);
      for (int64_t part = 0; part < kParts; ++part) {
        const Vector d = max - scores.parts[part];
        const Vector w = scaled(d);
        weight.add(rounded(w), part);
        surprisal.add(rounded(w >= 0.5f ? w * d : Vector{}), part);
      }
    }
    *sums = weight.total();
    mass.weight += *sums;
    mass.surprisal += surprisal.total();
  }
  return mass;
}

void keep(float* row, int64_t size, float max, float centre, float radius, float* maxima) {
  for (int64_t start = 0; start < size; start += kBlock, ++maxima) {
    const int64_t end = start + kBlock < size ? start + kBlock : size;
    Lanes most = all(kNone);
    if ((max - *maxima) - centre <= radius) {
      for (int64_t i = start; i < end; i += kLanes) {
        const int64_t count = end - i < kLanes ? end - i : kLanes;
        Lanes scores = count == kLanes ? load(row + i) : load(row + i, count, kNone);
        for (Vector& x : scores.parts) x = far(x, max, centre) <= radius ? x : Vector{} + kNone;
        most = greater(most, scores);
        store(scores, count, row + i);
      }
    } else {  // all of the block lies too low
      for (int64_t i = start; i < end; ++i) row[i] = kNone;
    }
    *maxima = greatest(most);
  }
}
