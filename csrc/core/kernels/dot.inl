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
  static inline __attribute__((always_inline)) Words add(Words sum, Words x, Words w) {
    return (Words)multiply_add((Vector)x, (Vector)w, (Vector)sum);
  }
};

struct Bf16 {
  static inline __attribute__((always_inline)) Words add(Words sum, Words x, Words w) {
#if defined(KERNEL_BF16)
    return (Words)_mm512_dpbf16_ps((__m512)sum, (__m512bh)x, (__m512bh)w);
#else
    const Vector first = multiply_add((Vector)(x << 16), (Vector)(w << 16), (Vector)sum);
    return (Words)multiply_add((Vector)(x & 0xffff0000u), (Vector)(w & 0xffff0000u), first);
#endif
  }
};

/// Bytes of `x` are unsigned, those of `w` signed; sums are 32-bit integers.
struct Int8 {
  static inline __attribute__((always_inline)) Words add(Words sum, Words x, Words w) {
#if defined(KERNEL_VNNI)
    return (Words)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x, (__m512i)w);
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
    return sum + (Words)even + (Words)odd;
#else
    for (int byte = 0; byte < 4; ++byte) {
      sum += (x >> 8 * byte & 0xffu) * (Words)((Ints)(w << (24 - 8 * byte)) >> 24);
    }
    return sum;
#endif
  }
};
