#include "core/kernels/lanes.inl"

#if KERNEL_BYTES == 64
/// 2^(i/32)
alignas(64) static const float kPowers[32] = {
    1,           1.02189715f, 1.04427378f, 1.0671404f,  1.09050773f, 1.11438674f, 1.13878863f, 1.16372486f,
    1.18920712f, 1.21524736f, 1.24185781f, 1.26905096f, 1.29683955f, 1.32523664f, 1.35425555f, 1.38390988f,
    1.41421356f, 1.44518081f, 1.47682615f, 1.50916443f, 1.54221083f, 1.57598085f, 1.61049033f, 1.64575548f,
    1.68179283f, 1.7186193f,  1.75625216f, 1.79470908f, 1.83400809f, 1.87416763f, 1.91520656f, 1.95714412f,
};
#endif

/// exp(x) for x <= 0 or NaN, to about two units in the last place.
static inline Vector exp_of_score(Vector x) {
#if KERNEL_BYTES == 64
  // 2^n exp(r), with n = i + j / 32 and a table for j: r is so small that a parabola is enough. This is most of what a
  // score costs beyond its product.
  constexpr float kToStep = 393216.0f;                       // 1.5 * 2^18: adding it rounds to steps of 1 / 32
  x = _mm512_maskz_max_ps(0xffff, _mm512_set1_ps(-200), x);  // whose exp is 0; NaN stays
  const Vector shifted = _mm512_fmadd_ps(x, _mm512_set1_ps(1.44269504f), _mm512_set1_ps(kToStep));
  const Vector n = shifted - kToStep;
  const Vector r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693147182f), x);
  Vector p = _mm512_fmadd_ps(r, _mm512_set1_ps(0.5f), _mm512_set1_ps(1.0000147f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
  const Vector power = _mm512_permutex2var_ps(_mm512_load_ps(kPowers), (__m512i)shifted, _mm512_load_ps(kPowers + 16));
  return _mm512_maskz_scalef_ps(0xffff, power * p, n);
#else
  return exp_of_negative(x);
#endif
}

/// A bit for each lane that is above `least`; for all of them where one of the two is NaN.
static inline uint32_t above(const Lanes& lanes, float least) {
#if KERNEL_BYTES == 64
  return _mm512_cmp_ps_mask(lanes.parts[0], _mm512_set1_ps(least), _CMP_NLE_UQ);
#elif KERNEL_BYTES == 32
  const __m256 bound = _mm256_set1_ps(least);
  const int low = _mm256_movemask_ps(_mm256_cmp_ps(lanes.parts[0], bound, _CMP_NLE_UQ));
  return low | _mm256_movemask_ps(_mm256_cmp_ps(lanes.parts[1], bound, _CMP_NLE_UQ)) << 8;
#else
  float x[kLanes];
  __builtin_memcpy(x, &lanes, sizeof x);
  uint32_t bits = 0;
  for (int64_t lane = 0; lane < kLanes; ++lane) bits |= (x[lane] <= least ? 0u : 1u) << lane;
  return bits;
#endif
}

/// `max` is that of the scores before these. Places of scores above `least`, or of all where it is NaN, are written to
/// `found`.
Summary summarise(const float* scores, int64_t size, float max, float least, int32_t* found) {
  Lanes lanes = all(kNone);
  for (int64_t i = 0; i < size; i += kLanes) lanes = greater(lanes, load_some(scores + i, size - i, kNone));
  const float most = greatest(lanes);
  Summary summary{most > max ? most : max, 0, 0};
  const float from = summary.max == kNone ? 0 : summary.max;
  Lanes sums = all(0);
  for (int64_t i = 0; i < size; i += kLanes) {
    Lanes x = load_some(scores + i, size - i, kNone);
    for (Vector& part : x.parts) part = exp_of_score(part - from);
    sums = sums + x;
  }
  summary.sum = sum(sums);
  if (most <= least) return summary;
  for (int64_t i = 0; i < size; i += kLanes) {
    uint32_t bits = above(load_some(scores + i, size - i, kNone), least);
    if (size - i < kLanes) bits &= (1u << (size - i)) - 1;
    for (; bits != 0; bits &= bits - 1) found[summary.found++] = static_cast<int32_t>(i + __builtin_ctz(bits));
  }
  return summary;
}
