#include "core/kernels/lanes.inl"

#include "core/kernels/dot.inl"

/// The same word in every lane. It may be a float32 of the caller's.
static inline Words everywhere(const uint32_t* from) {
  uint32_t word;
  __builtin_memcpy(&word, from, sizeof word);
  return Words{} + word;
}

/// The kernel proper: sums of `kRows` rows and `kVectors` registers of outputs, all of them in registers, over `depth`
/// words. Each sum is one chain of additions in the order of the inputs, however many rows there are.
template <typename Dot, int64_t kRows, int64_t kVectors>
static void add_products(const uint32_t* w, const uint32_t* x, int64_t x_stride, int64_t depth, uint32_t* sums) {
  typename Dot::Sum block[kRows][kVectors];
#pragma GCC unroll 8
  for (int64_t row = 0; row < kRows; ++row) {
#pragma GCC unroll 8
    for (int64_t v = 0; v < kVectors; ++v) {
      __builtin_memcpy(&block[row][v], sums + row * kPanel + v * kWidth, KERNEL_BYTES);
    }
  }
  for (int64_t word = 0; word < depth; ++word) {
    Words weights[kVectors];
#pragma GCC unroll 8
    for (int64_t v = 0; v < kVectors; ++v) {
      __builtin_memcpy(&weights[v], w + word * kPanel + v * kWidth, KERNEL_BYTES);
    }
#pragma GCC unroll 8
    for (int64_t row = 0; row < kRows; ++row) {
      const Words input = everywhere(x + row * x_stride + word);
#pragma GCC unroll 8
      for (int64_t v = 0; v < kVectors; ++v) block[row][v] = Dot::add(block[row][v], input, weights[v]);
    }
  }
#pragma GCC unroll 8
  for (int64_t row = 0; row < kRows; ++row) {
#pragma GCC unroll 8
    for (int64_t v = 0; v < kVectors; ++v) {
      __builtin_memcpy(sums + row * kPanel + v * kWidth, &block[row][v], KERNEL_BYTES);
    }
  }
}

/// As many outputs at a time as registers allow: few rows take more of them, so that there are enough chains.
template <typename Dot, int64_t kRows>
static void add_products(const uint32_t* w, const uint32_t* x, int64_t x_stride, int64_t depth, uint32_t* sums) {
  constexpr int64_t kVectors = KERNEL_BYTES == 64 ? 4 : kRows == 1 ? 8 : kRows == 2 ? 4 : 2;
  for (int64_t at = 0; at < kPanel; at += kVectors * kWidth) {
    add_products<Dot, kRows, kVectors>(w + at, x, x_stride, depth, sums + at);
  }
}

constexpr int64_t kMostRows = 6;  // of a block

template <typename Dot>
static void add_block(int64_t rows, const uint32_t* w, const uint32_t* x, int64_t x_stride, int64_t depth,
                      uint32_t* sums) {
  switch (rows) {
    case 1: return add_products<Dot, 1>(w, x, x_stride, depth, sums);
    case 2: return add_products<Dot, 2>(w, x, x_stride, depth, sums);
    case 3: return add_products<Dot, 3>(w, x, x_stride, depth, sums);
    case 4: return add_products<Dot, 4>(w, x, x_stride, depth, sums);
    case 5: return add_products<Dot, 5>(w, x, x_stride, depth, sums);
    default: return add_products<Dot, kMostRows>(w, x, x_stride, depth, sums);
  }
}

static inline Vector erf_of(Vector x) {
  const Vector limit = Vector{} + 4.0f;  // beyond it erf is 1 in float32
  x = x > limit ? limit : x < -limit ? -limit : x;
  const Vector square = x * x;  // a rational function of odd degree 13 over even degree 8, as Eigen has it
  Vector p = square * -2.72614225801306e-10f + 2.77068142495902e-08f;
  p = p * square - 2.10102402082508e-06f;
  p = p * square - 5.69250639462346e-05f;
  p = p * square - 7.34990630326855e-04f;
  p = p * square - 2.95459980854025e-03f;
  p = p * square - 1.60960333262415e-02f;
  Vector q = square * -1.45660718464996e-05f - 2.13374055278905e-04f;
  q = q * square - 1.68282697438203e-03f;
  q = q * square - 7.37332916720468e-03f;
  q = q * square - 1.42647390514189e-02f;
  return x * p / q;
}

/// x / (1 + exp(-y))
static inline Vector times_sigmoid(Vector x, Vector y) {
  const Vector e = exp_of_negative(y < 0 ? y : -y);  // of the side that cannot overflow
  return x * (y < 0 ? e : Vector{} + 1.0f) / (1.0f + e);
}

static inline Vector activated(Vector x, Activation activation) {
  switch (activation) {
    case Activation::none: return x;
    case Activation::relu: return x < 0 ? Vector{} : x;
    case Activation::gelu: return 0.5f * x * (1.0f + erf_of(x * 0.707106781f));
    case Activation::gelu_tanh: return times_sigmoid(x, 1.59576912f * (x + 0.044715f * x * x * x));
    case Activation::silu: return times_sigmoid(x, x);
  }
  return x;
}

/// What becomes of the sums of a panel.
struct Finish {
  const float* bias;       // [kPanel]
  const float* scales;     // int8: [kPanel]
  const int32_t* weights;  // int8: [kPanel], sums of steps
  Activation activation;
  const float* added;  // or null; at the panel's first output, as `out`
  float* out;
  int64_t stride;
  int64_t outputs;  // of this panel
};

static inline __attribute__((always_inline)) Vector in_units(Fp32, Vector sum, int64_t, const Finish&,
                                                             const PackedRows&, int64_t) {
  return sum;
}

static inline __attribute__((always_inline)) Vector in_units(Bf16, Vector sum, int64_t, const Finish&,
                                                             const PackedRows&, int64_t) {
  return sum;
}

/// Takes out what the zero point has added.
static inline __attribute__((always_inline)) Vector in_units(Int8, Ints sum, int64_t at, const Finish& finish,
                                                             const PackedRows& x, int64_t row) {
  Ints weights;
  Vector scales;
  __builtin_memcpy(&weights, finish.weights + at, sizeof weights);
  __builtin_memcpy(&scales, finish.scales + at, sizeof scales);
  return __builtin_convertvector(sum - weights * x.zeros[row], Vector) * scales * x.scales[row];
}

template <typename Dot>
static void finish_rows(const uint32_t* sums, const PackedRows& x, int64_t first, int64_t last, const Finish& finish) {
  for (int64_t row = first; row < last; ++row, sums += kPanel) {
    for (int64_t at = 0; at < finish.outputs; at += kLanes) {
      const int64_t left = finish.outputs - at, to = row * finish.stride + at;
      Lanes y = load(finish.bias + at);
      for (int64_t part = 0; part < kParts; ++part) {
        typename Dot::Sum sum;
        __builtin_memcpy(&sum, sums + at + part * kWidth, sizeof sum);
        y.parts[part] += in_units(Dot{}, sum, at + part * kWidth, finish, x, row);
      }
      if (finish.activation != Activation::none) {
        for (Vector& part : y.parts) part = activated(part, finish.activation);
      }
      if (finish.added) y = y + load_some(finish.added + to, left);
      store_some(y, finish.out + to, left);
    }
  }
}

/// One panel. Words of depth are taken some at a time, so that those of the panel stay in the cache while all rows pass;
/// `sums` is room for [rows, kPanel].
template <typename Dot>
static void multiply_panel(const uint32_t* panel, int64_t depth, const PackedRows& x, int64_t rows, uint32_t* sums,
                           const Finish& finish) {
  constexpr int64_t kDepth = 256;
  const auto* words = static_cast<const uint32_t*>(x.words);
  const int64_t step = rows <= kMostRows ? depth : kDepth;
  int64_t from = 0;
  do {
    const int64_t count = depth - from < step ? depth - from : step;
    for (int64_t row = 0, blocks = (rows + kMostRows - 1) / kMostRows; row < rows; --blocks) {
      const int64_t size = (rows - row + blocks - 1) / blocks;  // blocks of nearly equal size
      uint32_t* const to = depth <= step ? sums : sums + row * kPanel;
      if (from == 0) __builtin_memset(to, 0, size * kPanel * sizeof *to);
      add_block<Dot>(size, panel + from * kPanel, words + row * x.stride + from, x.stride, count, to);
      if (from + count == depth) finish_rows<Dot>(to, x, row, row + size, finish);
      row += size;
    }
    from += count;
  } while (from < depth);
}

/// Outputs of some panels into `out`, whose first column is the first of these; `sums` is room for [rows, kPanel].
void multiply_panels(const PackedMatrix::Packed& w, int64_t first, int64_t last, const PackedRows& x, int64_t rows,
                     uint32_t* sums, float* out, int64_t out_stride, Activation activation, const float* added) {
  for (int64_t panel = first; panel < last; ++panel) {
    const int64_t place = panel * kPanel, at = (panel - first) * kPanel, left = w.outputs - place;
    const bool steps = w.precision == Precision::int8;
    const Finish finish{w.bias.data() + place,
                        steps ? w.scales.data() + place : nullptr,
                        steps ? w.sums.data() + place : nullptr,
                        activation,
                        added ? added + at : nullptr,
                        out + at,
                        out_stride,
                        left < kPanel ? left : kPanel};
    const uint32_t* words = w.words.get() + place * w.depth;
    switch (w.precision) {
      case Precision::fp32: multiply_panel<Fp32>(words, w.depth, x, rows, sums, finish); break;
      case Precision::bf16: multiply_panel<Bf16>(words, w.depth, x, rows, sums, finish); break;
      case Precision::int8: multiply_panel<Int8>(words, w.depth, x, rows, sums, finish); break;
    }
  }
}

/// `rounded` has room for whole lanes; beyond the inputs it becomes 0.
void round_to_bf16(const float* x, int64_t inputs, uint16_t* rounded) {
  typedef uint16_t Halves __attribute__((vector_size(KERNEL_BYTES / 2)));
  for (int64_t i = 0; i < inputs; i += kLanes) {
    const Lanes lanes = load_some(x + i, inputs - i);
    for (int64_t part = 0; part < kParts; ++part) {
      const Words bits = (Words)lanes.parts[part];
      const Words nearest = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;  // ties to even
      const Words nan = bits >> 16 | 0x40u;
      const Halves halves = __builtin_convertvector(lanes.parts[part] == lanes.parts[part] ? nearest : nan, Halves);
      __builtin_memcpy(rounded + i + part * kWidth, &halves, sizeof halves);
    }
  }
}

/// Rounds a row to steps of `scale`, from 0 to 255, of which `zero` stands for 0. A row with a number that is not
/// finite has the scale NaN, which makes all its outputs NaN. `steps` has room for whole lanes.
void round_to_steps(const float* x, int64_t inputs, uint8_t* steps, float* scale, int32_t* zero) {
  typedef uint8_t Bytes __attribute__((vector_size(KERNEL_BYTES / 4)));
  Lanes most = all(0), least = all(0), unknown = all(0);
  for (int64_t i = 0; i < inputs; i += kLanes) {
    const Lanes lanes = load_some(x + i, inputs - i);
    most = greater(most, lanes);
    least = greater(least, all(0) - lanes);
    unknown = unknown + lanes * all(0);  // NaN for all that is not finite
  }
  const float high = greatest(most), low = greatest(least);
  const float step = high * (1 / 255.0f) + low * (1 / 255.0f) + sum(unknown);
  constexpr float kSmallest = 1.17549435e-38f;  // below it, reciprocals are infinite
  const float per_step = step >= kSmallest ? 1 / step : 0;
  *scale = step >= kSmallest || step != step ? step : 0;
  *zero = per_step > 0 ? static_cast<int32_t>(low * per_step + 0.5f) : 0;
  const float half_above = static_cast<float>(*zero) + 0.5f;
  for (int64_t i = 0; i < inputs; i += kLanes) {
    const Lanes lanes = load_some(x + i, inputs - i);
    for (int64_t part = 0; part < kParts; ++part) {
      Vector y = lanes.parts[part] * per_step + half_above;
      y = y > 0 ? y : Vector{};  // NaN too
      y = y < 255 ? y : Vector{} + 255.0f;
      const Bytes bytes = __builtin_convertvector(__builtin_convertvector(y, Ints), Bytes);
      __builtin_memcpy(steps + i + part * kWidth, &bytes, sizeof bytes);
    }
  }
}
