#include "core/kernels/lanes.inl"
#include "core/kernels/numbers.inl"

static inline float to_float(float x) { return x; }
static inline float to_float(Bfloat16 x) { return load(&x, 1, 0).parts[0][0]; }

template <typename Number>
CrossEntropy row_cross_entropy(const Number* scores, int64_t size, int64_t label, float on_label, float others,
                               float* scratch, Number* gradient) {
  constexpr int64_t kChunk = 64 * kLanes;  // short sums in float32, their sum in double: accurate for any vocabulary
  Lanes maxima = all(kNone);
  double total = 0;  // of the scores
  for (int64_t start = 0; start < size; start += kChunk) {
    const int64_t count = size - start < kChunk ? size - start : kChunk;
    Lanes sums = all(0);
    for_lanes(scores + start, count, 0, [&](int64_t, int64_t here, const Lanes& x) __attribute__((always_inline)) {
      for (int64_t i = 0; i < kParts; ++i) sums.parts[i] += x.parts[i];
      if (here == kLanes) maxima = greater(maxima, x);
    });
    total += sum(sums);
  }
  if (const int64_t rest = size % kLanes) maxima = greater(maxima, load(scores + size - rest, rest, kNone));
  const float max = greatest(maxima);

  double mass = 0;
  for (int64_t start = 0; start < size; start += kChunk) {
    const int64_t count = size - start < kChunk ? size - start : kChunk;
    Lanes sums = all(0);
    for_lanes(scores + start, count, kNone,
              [&](int64_t at, int64_t here, const Lanes& x) __attribute__((always_inline)) {
                Lanes weights;
                for (int64_t i = 0; i < kParts; ++i) {
                  weights.parts[i] = exp_of_negative(x.parts[i] - max);
                  sums.parts[i] += weights.parts[i];
                }
                put(scratch + start + at, weights, here);
              });
    mass += sum(sums);
  }

  const float scale = static_cast<float>(1 / mass);
  const float at_label = scratch[label] * scale;
  for_lanes(scratch, size, 0, [&](int64_t at, int64_t here, const Lanes& x) __attribute__((always_inline)) {
    Lanes slope;
    for (int64_t i = 0; i < kParts; ++i) slope.parts[i] = x.parts[i] * scale - others;
    put(gradient + at, slope, here);
  });
  store(gradient + label, all(at_label - on_label), 1);

  const float chosen = to_float(scores[label]);
  const double norm = max + std::log(mass);  // log sum(exp(scores))
  const double nll = norm - chosen;
  // Unless labels are smoothed an impossible token costs nothing.
  const double spread = others != 0 ? others * (norm * static_cast<double>(size) - total) : 0.0;
  return {static_cast<float>((on_label - others) * nll + spread), static_cast<float>(nll), chosen >= max};
}

CrossEntropy cross_entropy_float(const float* scores, int64_t size, int64_t label, float on_label, float others,
                                 float* scratch, float* gradient) {
  return row_cross_entropy(scores, size, label, on_label, others, scratch, gradient);
}

CrossEntropy cross_entropy_bfloat16(const Bfloat16* scores, int64_t size, int64_t label, float on_label, float others,
                                    float* scratch, Bfloat16* gradient) {
  return row_cross_entropy(scores, size, label, on_label, others, scratch, gradient);
}
