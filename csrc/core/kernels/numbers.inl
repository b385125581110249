// Numbers of either type in memory as sixteen floats in registers. Beside `lanes.inl`.

typedef uint16_t Halves __attribute__((vector_size(KERNEL_BYTES / 2)));

static inline Lanes load(const Bfloat16* from) {
  Lanes lanes;
  for (int64_t i = 0; i < kParts; ++i) {
    Halves halves;
    __builtin_memcpy(&halves, from + i * kWidth, sizeof halves);
    lanes.parts[i] = (Vector)(__builtin_convertvector(halves, Words) << 16);
  }
  return lanes;
}

static inline void store(float* to, const Lanes& lanes) {
  for (int64_t i = 0; i < kParts; ++i) __builtin_memcpy(to + i * kWidth, &lanes.parts[i], sizeof(Vector));
}

/// Rounded to the nearest, ties to even; NaN stays NaN.
static inline void store(Bfloat16* to, const Lanes& lanes) {
  for (int64_t i = 0; i < kParts; ++i) {
    const Words bits = (Words)lanes.parts[i];
    const Words rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
    const Words kept = lanes.parts[i] == lanes.parts[i] ? rounded : (bits | 0x400000u);
    const Halves halves = __builtin_convertvector(kept >> 16, Halves);
    __builtin_memcpy(to + i * kWidth, &halves, sizeof halves);
  }
}

/// The first `count` lanes from memory, the others `rest`.
static inline Lanes load(const Bfloat16* from, int64_t count, float rest) {
  float lanes[kLanes];
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    const uint32_t bits = lane < count ? static_cast<uint32_t>(from[lane].bits) << 16 : 0u;
    float x;
    __builtin_memcpy(&x, &bits, sizeof x);
    lanes[lane] = lane < count ? x : rest;
  }
  return load(lanes);
}

/// The first `count` lanes into memory.
template <typename Number>
static inline void store(Number* to, const Lanes& lanes, int64_t count) {
  Number all_of_them[kLanes];
  store(all_of_them, lanes);
  for (int64_t lane = 0; lane < count; ++lane) to[lane] = all_of_them[lane];
}

/// `each(i, count, lanes)` for sixteen numbers after the other of a row, the last of them fewer: then the rest is
/// `rest`.
template <typename Number, typename Each>
static inline __attribute__((always_inline)) void for_lanes(const Number* row, int64_t size, float rest,
                                                            const Each& each) {
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) each(i, kLanes, load(row + i));
  if (i < size) each(i, size - i, load(row + i, size - i, rest));
}

static inline Lanes load_some(const Bfloat16* from, int64_t left) {
  return left >= kLanes ? load(from) : load(from, left, 0);
}

/// All sixteen into memory, or the first `count`.
template <typename Number>
static inline __attribute__((always_inline)) void put(Number* to, const Lanes& lanes, int64_t count) {
  if (count == kLanes) {
    store(to, lanes);
  } else {
    store(to, lanes, count);
  }
}
