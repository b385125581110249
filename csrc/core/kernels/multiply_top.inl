#include "core/kernels/lanes.inl"

/// exp(x) for x <= 0 or NaN, to about one unit in the last place.
static inline Vector exp_of_score(Vector x) {
#if KERNEL_BYTES == 64
  // As `exp_of_negative`, with fewer instructions: this is most of what a score costs beyond its product.
  constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  x = x < -200.0f ? Vector{} - 200.0f : x;  // its exp is 0
  const Vector n = _mm512_maskz_roundscale_ps(0xffff, x * 1.44269504f, kNearest);
  const Vector r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693147182f), x);
  Vector p = _mm512_fmadd_ps(r, _mm512_set1_ps(1.3981999507e-3f), _mm512_set1_ps(8.3334519073e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1665795894e-2f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666665459e-1f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.0000001201e-1f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
  return _mm512_maskz_scalef_ps(0xffff, _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f)), n);
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
