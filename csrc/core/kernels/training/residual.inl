#include "core/kernels/lanes.inl"
#include "core/kernels/numbers.inl"

/// What entries of a row are multiplied with: 0 or `scale`, by random numbers that are a function of seed and place.
struct Mask {
  uint32_t first, second, dropped;
  float scale;

  /// The keys of a row are the two halves of a number of SplitMix64 (Steele, Lea & Flood 2014).
  Mask(const Drop& drop, int64_t row) : dropped(drop.dropped), scale(drop.scale) {
    uint64_t x = drop.seed + (static_cast<uint64_t>(row) + 1) * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    first = static_cast<uint32_t>(x);
    second = static_cast<uint32_t>(x >> 32);
  }

  /// That of sixteen entries from `start` on: a hash of the place (Wellons 2018, "lowbias32"), the second key between.
  Lanes at(int64_t start) const __attribute__((always_inline)) {
    Lanes lanes;
    for (int64_t part = 0; part < kParts; ++part) {
      Words x;
      for (int64_t i = 0; i < kWidth; ++i) x[i] = static_cast<uint32_t>(part * kWidth + i);
      x = (x + static_cast<uint32_t>(start)) ^ first;
      x = (x ^ (x >> 16)) * 0x7feb352du;
      x = (x ^ (x >> 15) ^ second) * 0x846ca68bu;
      x ^= x >> 16;
      lanes.parts[part] = x >= Words{} + dropped ? Vector{} + scale : Vector{};
    }
    return lanes;
  }

  bool drops() const { return dropped != 0; }
};

template <typename Stream, typename Branch>
void residual_row(const ResidualShape& shape, int64_t index, const ResidualRow<Stream, Branch>& row) {
  const Mask mask(shape.drop, index);
  const int64_t size = shape.size;
  Stream* sums = shape.norm == Norm::none ? row.out : row.sums;
  Lanes totals = all(0);
  for_lanes(row.y, size, 0, [&](int64_t at, int64_t count, const Lanes& y) __attribute__((always_inline)) {
    Lanes s = load_some(row.x + at, count);
    if (mask.drops()) {
      const Lanes kept = mask.at(at);
      for (int64_t i = 0; i < kParts; ++i) s.parts[i] += y.parts[i] * kept.parts[i];
    } else {
      for (int64_t i = 0; i < kParts; ++i) s.parts[i] += y.parts[i];
    }
    put(sums + at, s, count);
    s = load_some(sums + at, count);  // rounded, as it will be read: the mean is that of what is kept
    for (int64_t i = 0; i < kParts; ++i) totals.parts[i] += s.parts[i];
  });
  if (shape.norm == Norm::none) return;

  const float mean = shape.norm == Norm::layer ? sum(totals) / static_cast<float>(size) : 0;
  Lanes squares = all(0);
  for_lanes(sums, size, mean, [&](int64_t, int64_t, const Lanes& s) __attribute__((always_inline)) {
    for (int64_t i = 0; i < kParts; ++i) squares.parts[i] += (s.parts[i] - mean) * (s.parts[i] - mean);
  });
  const float scale = 1 / std::sqrt(sum(squares) / static_cast<float>(size) + shape.epsilon);
  for_lanes(sums, size, 0, [&](int64_t at, int64_t count, Lanes s) __attribute__((always_inline)) {
    const Lanes weight = load_some(shape.weight + at, count);
    for (int64_t i = 0; i < kParts; ++i) s.parts[i] = (s.parts[i] - mean) * scale * weight.parts[i];
    if (shape.bias) {
      const Lanes bias = load_some(shape.bias + at, count);
      for (int64_t i = 0; i < kParts; ++i) s.parts[i] += bias.parts[i];
    }
    put(row.out + at, s, count);
  });
  row.moments[0] = mean;
  row.moments[1] = scale;
}

template <typename Stream, typename Branch>
static inline __attribute__((always_inline)) void put_branch(const ResidualSlopes<Stream, Branch>& row,
                                                             const Mask& mask, int64_t at, int64_t count, Lanes slope) {
  if (mask.drops()) {
    const Lanes kept = mask.at(at);
    for (int64_t i = 0; i < kParts; ++i) slope.parts[i] *= kept.parts[i];
  }
  put(row.d_y + at, slope, count);
}

template <typename Stream, typename Branch>
void residual_row_backward(const ResidualShape& shape, int64_t index, const ResidualSlopes<Stream, Branch>& row) {
  const Mask mask(shape.drop, index);
  const int64_t size = shape.size;
  if (shape.norm == Norm::none) {
    for (int64_t at = 0; at < size; at += kLanes) {
      const int64_t count = size - at < kLanes ? size - at : kLanes;
      put_branch(row, mask, at, count, load_some(row.slope + at, count));
    }
    return;
  }
  const float mean = row.moments[0], scale = row.moments[1];
  Lanes totals = all(0), products = all(0);
  for_lanes(row.sums, size, mean, [&](int64_t at, int64_t count, Lanes x) __attribute__((always_inline)) {
    const Lanes slope = load_some(row.slope + at, count);
    const Lanes weight = load_some(shape.weight + at, count);
    Lanes d_weight = load_some(row.d_weight + at, count);
    for (int64_t i = 0; i < kParts; ++i) {
      x.parts[i] = (x.parts[i] - mean) * scale;
      const Vector weighted = slope.parts[i] * weight.parts[i];
      totals.parts[i] += weighted;
      products.parts[i] += weighted * x.parts[i];
      d_weight.parts[i] += slope.parts[i] * x.parts[i];
    }
    put(row.d_weight + at, d_weight, count);
    if (shape.norm == Norm::layer) {
      Lanes d_bias = load_some(row.d_bias + at, count);
      for (int64_t i = 0; i < kParts; ++i) d_bias.parts[i] += slope.parts[i];
      put(row.d_bias + at, d_bias, count);
    }
  });
  const float shift = shape.norm == Norm::layer ? sum(totals) / static_cast<float>(size) : 0;
  const float turn = sum(products) / static_cast<float>(size);
  for_lanes(row.sums, size, mean, [&](int64_t at, int64_t count, Lanes x) __attribute__((always_inline)) {
    const Lanes slope = load_some(row.slope + at, count);
    const Lanes weight = load_some(shape.weight + at, count);
    for (int64_t i = 0; i < kParts; ++i) {
      x.parts[i] = scale * (slope.parts[i] * weight.parts[i] - shift - (x.parts[i] - mean) * scale * turn);
    }
    put(row.d_x + at, x, count);
    put_branch(row, mask, at, count, x);
  });
}

#define RESIDUAL_KERNELS(suffix, Stream, Branch)                                                              \
  void residual_##suffix(const ResidualShape& shape, int64_t index, const ResidualRow<Stream, Branch>& row) { \
    residual_row(shape, index, row);                                                                          \
  }                                                                                                           \
  void residual_backward_##suffix(const ResidualShape& shape, int64_t index,                                  \
                                  const ResidualSlopes<Stream, Branch>& row) {                                \
    residual_row_backward(shape, index, row);                                                                 \
  }

RESIDUAL_KERNELS(float, float, float)
RESIDUAL_KERNELS(mixed, float, Bfloat16)
RESIDUAL_KERNELS(bfloat16, Bfloat16, Bfloat16)
#undef RESIDUAL_KERNELS
