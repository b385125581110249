// For each precision: sums += weights * inputs, word by word. A word holds the weights of one output (or the inputs of
// one row) for as many successive inputs as fit; every lane of `x` is the same word.

typedef int32_t Ints __attribute__((vector_size(KERNEL_BYTES)));

static inline __attribute__((always_inline)) Vector multiply_add(Vector x, Vector w, Vector sum) {
#if KERNEL_BYTES == 64
  return _mm512_fmadd_ps(x, w, sum);
#elif KERNEL_BYTES == 32
  return _mm256_fmadd_ps(x, w, sum);
#else
  return sum + x * w;
#endif
}

struct Fp32 {
  typedef Vector Sum;

  static inline __attribute__((always_inline)) Vector add(Vector sum, Words x, Words w) {
    return multiply_add((Vector)x, (Vector)w, sum);
  }
};

struct Bf16 {
  typedef Vector Sum;

  static inline __attribute__((always_inline)) Vector add(Vector sum, Words x, Words w) {
#if defined(KERNEL_BF16)
    return _mm512_dpbf16_ps(sum, (__m512bh)x, (__m512bh)w);
#else
    sum = multiply_add((Vector)(x << 16), (Vector)(w << 16), sum);
    return multiply_add((Vector)(x & 0xffff0000u), (Vector)(w & 0xffff0000u), sum);
#endif
  }
};

/// Bytes of `x` are unsigned, those of `w` signed; sums are whole numbers.
struct Int8 {
  typedef Ints Sum;

  static inline __attribute__((always_inline)) Ints add(Ints sum, Words x, Words w) {
#if defined(KERNEL_VNNI)
    return (Ints)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x, (__m512i)w);
#elif KERNEL_BYTES == 64 || KERNEL_BYTES == 32
    typedef int16_t Halves __attribute__((vector_size(KERNEL_BYTES)));
    const Words x_even = x & 0x00ff00ffu, x_odd = x >> 8 & 0x00ff00ffu;
    const Words w_even = (Words)((Halves)w << 8 >> 8), w_odd = (Words)((Halves)w >> 8);
#if KERNEL_BYTES == 64
    const __m512i even = _mm512_madd_epi16((__m512i)x_even, (__m512i)w_even);
    const __m512i odd = _mm512_madd_epi16((__m512i)x_odd, (__m512i)w_odd);
#else
    const __m256i even = _mm256_madd_epi16((__m256i)x_even, (__m256i)w_even);
    const __m256i odd = _mm256_madd_epi16((__m256i)x_odd, (__m256i)w_odd);
#endif
    return sum + (Ints)even + (Ints)odd;
#else
    for (int byte = 0; byte < 4; ++byte) {
      sum += (Ints)(x >> 8 * byte & 0xffu) * ((Ints)(w << (24 - 8 * byte)) >> 24);
    }
    return sum;
#endif
  }
};
