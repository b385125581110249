// Sixteen floats side by side in as many vector registers as an instruction set needs: whatever it is, lane i of a sum
// adds the same numbers in the same order.

typedef float Vector __attribute__((vector_size(KERNEL_BYTES)));
typedef uint32_t Words __attribute__((vector_size(KERNEL_BYTES)));

constexpr int64_t kLanes = 16;
constexpr int64_t kWidth = KERNEL_BYTES / 4;
constexpr int64_t kParts = kLanes / kWidth;

struct Lanes {
  Vector parts[kParts];
};

static inline Lanes all(float x) {
  Lanes lanes;
  for (Vector& part : lanes.parts) part = Vector{} + x;
  return lanes;
}

static inline Lanes load(const float* from) {
  Lanes lanes;  // register by register: copied whole, it would go through memory
  for (int64_t i = 0; i < kParts; ++i) __builtin_memcpy(&lanes.parts[i], from + i * kWidth, sizeof(Vector));
  return lanes;
}

/// The first `count` lanes from memory, the others `rest`.
static inline Lanes load(const float* from, int64_t count, float rest) {
#if KERNEL_BYTES == 64
  Lanes lanes = all(rest);
  lanes.parts[0] = _mm512_mask_loadu_ps(lanes.parts[0], (1u << count) - 1, from);
  return lanes;
#else
  float lanes[kLanes];
  for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] = lane < count ? from[lane] : rest;
  return load(lanes);
#endif
}

/// The first `left` lanes or all sixteen from memory, the others `rest`.
static inline Lanes load_some(const float* from, int64_t left, float rest = 0) {
  return left >= kLanes ? load(from) : load(from, left, rest);
}

/// The first `left` lanes or all sixteen into memory.
static inline void store_some(const Lanes& lanes, float* to, int64_t left) {
  if (left >= kLanes) {
    for (int64_t i = 0; i < kParts; ++i) __builtin_memcpy(to + i * kWidth, &lanes.parts[i], sizeof(Vector));
  } else {
#if KERNEL_BYTES == 64
    _mm512_mask_storeu_ps(to, (1u << left) - 1, lanes.parts[0]);
#else
    __builtin_memcpy(to, &lanes, left * sizeof(float));
#endif
  }
}

static inline Lanes operator+(Lanes a, const Lanes& b) {
  for (int64_t i = 0; i < kParts; ++i) a.parts[i] += b.parts[i];
  return a;
}

static inline Lanes operator-(Lanes a, const Lanes& b) {
  for (int64_t i = 0; i < kParts; ++i) a.parts[i] -= b.parts[i];
  return a;
}

static inline Lanes operator*(Lanes a, const Lanes& b) {
  for (int64_t i = 0; i < kParts; ++i) a.parts[i] *= b.parts[i];
  return a;
}

#if KERNEL_BYTES == 64
static inline __m256 lower_half(const Lanes& lanes) { return _mm512_maskz_extractf32x8_ps(0xff, lanes.parts[0], 0); }
static inline __m256 upper_half(const Lanes& lanes) { return _mm512_maskz_extractf32x8_ps(0xff, lanes.parts[0], 1); }
#elif KERNEL_BYTES == 32
static inline __m256 lower_half(const Lanes& lanes) { return lanes.parts[0]; }
static inline __m256 upper_half(const Lanes& lanes) { return lanes.parts[1]; }
#endif

/// Lane by lane the greater one; `a` where `b` is NaN.
static inline Lanes greater(Lanes a, const Lanes& b) {
  for (int64_t i = 0; i < kParts; ++i) a.parts[i] = b.parts[i] > a.parts[i] ? b.parts[i] : a.parts[i];
  return a;
}

static inline float greatest(const Lanes& lanes) {
#if KERNEL_BYTES >= 32
  const __m256 eight = _mm256_max_ps(upper_half(lanes), lower_half(lanes));
  const __m128 four = _mm_max_ps(_mm256_extractf128_ps(eight, 1), _mm256_castps256_ps128(eight));
  const __m128 two = _mm_max_ps(_mm_movehl_ps(four, four), four);
  return _mm_cvtss_f32(_mm_max_ss(_mm_movehdup_ps(two), two));
#else
  float x[kLanes];
  __builtin_memcpy(x, &lanes, sizeof x);
  for (int64_t width = kLanes / 2; width > 0; width /= 2) {
    for (int64_t lane = 0; lane < width; ++lane) x[lane] = x[lane + width] > x[lane] ? x[lane + width] : x[lane];
  }
  return x[0];
#endif
}

/// The sum of the lanes: halves are added, and again.
static inline float sum(const Lanes& lanes) {
#if KERNEL_BYTES >= 32
  const __m256 eight = _mm256_add_ps(lower_half(lanes), upper_half(lanes));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
#else
  float x[kLanes];
  __builtin_memcpy(x, &lanes, sizeof x);
  for (int64_t width = kLanes / 2; width > 0; width /= 2) {
    for (int64_t lane = 0; lane < width; ++lane) x[lane] += x[lane + width];
  }
  return x[0];
#endif
}

/// exp(x) for x <= 0, to about one unit in the last place; 0 below -87, which is nothing beside a sum of 1. NaN for
/// NaN. exp(x) = 2^n * exp(r), with n = round(x / ln 2) and exp(r) the polynomial of Cephes' expf.
static inline Vector exp_of_negative(Vector x) {
  constexpr float kLowest = -87.0f;
  constexpr float kToInteger = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  constexpr float kLn2High = 0.693359375f;   // exact in few bits, so that n * kLn2High is exact
  constexpr float kLn2Low = -2.12194440e-4f;
  const Vector shifted = x * 1.44269504f + kToInteger;  // its lowest bits are n, in two's complement
  const Vector n = shifted - kToInteger;
  const Vector r = (x - n * kLn2High) - n * kLn2Low;
  Vector p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  p *= (Vector)(((Words)shifted + 127u) << 23);
  return x < kLowest ? Vector{} : p;
}
