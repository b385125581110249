#include "core/kernels/lanes.inl"

#include "core/kernels/dot.inl"

/// The same word in every lane. It may be a float32 of the caller's.
static inline Words everywhere(const uint32_t* from) {
  uint32_t word;
  __builtin_memcpy(&word, from, sizeof word);
  return Words{} + word;
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

/// Whether registers of sums are finished at once. Otherwise what they come to is kept for `finish_rows`: where not all
/// of it is wanted, and where an activation takes more instructions than are repeated for every register.
static inline bool finishes_at_once(const Finish& finish) {
  return finish.outputs == kPanel && (finish.activation == Activation::none || finish.activation == Activation::relu);
}

/// What is multiplied: some words of rows, with those of a panel.
struct Slice {
  const uint32_t* weights;  // [depth, kPanel]
  const uint32_t* inputs;   // [rows, depth]
  int64_t stride, depth;    // of the inputs
  bool first, last;         // of the words of a row
  uint32_t* sums;           // [rows, kPanel]: what the slices so far come to
  int64_t row;              // the first
  const uint32_t* ahead;    // [depth] lines of words that are read soon, or some that are there
};

/// The kernel proper: sums of `kRows` rows and `kVectors` registers of outputs, the first of which is `output`, all of
/// them in registers until they are finished. Each sum is one chain of additions in the order of the inputs, however
/// many rows there are.
template <typename Dot, int64_t kRows, int64_t kVectors>
static void add_products(const Slice& slice, int64_t output, const PackedRows& x, const Finish& finish) {
  const uint32_t* const w = slice.weights + output;
  uint32_t* const sums = slice.sums + output;
  typename Dot::Sum block[kRows][kVectors] = {};
  if (!slice.first) {
#pragma GCC unroll 8
    for (int64_t row = 0; row < kRows; ++row) {
#pragma GCC unroll 8
      for (int64_t v = 0; v < kVectors; ++v) {
        __builtin_memcpy(&block[row][v], sums + row * kPanel + v * kWidth, KERNEL_BYTES);
      }
    }
  }
  for (int64_t word = 0; word < slice.depth; ++word) {
    __builtin_prefetch(slice.ahead + word * kLine, 0, 2);
    Words weights[kVectors];
#pragma GCC unroll 8
    for (int64_t v = 0; v < kVectors; ++v) {
      __builtin_memcpy(&weights[v], w + word * kPanel + v * kWidth, KERNEL_BYTES);
    }
#pragma GCC unroll 8
    for (int64_t row = 0; row < kRows; ++row) {
      const Words input = everywhere(slice.inputs + row * slice.stride + word);
#pragma GCC unroll 8
      for (int64_t v = 0; v < kVectors; ++v) block[row][v] = Dot::add(block[row][v], input, weights[v]);
    }
  }
  if (!slice.last) {
#pragma GCC unroll 8
    for (int64_t row = 0; row < kRows; ++row) {
#pragma GCC unroll 8
      for (int64_t v = 0; v < kVectors; ++v) {
        __builtin_memcpy(sums + row * kPanel + v * kWidth, &block[row][v], KERNEL_BYTES);
      }
    }
    return;
  }
  const bool at_once = finishes_at_once(finish), positive = finish.activation == Activation::relu;
#pragma GCC unroll 8
  for (int64_t row = 0; row < kRows; ++row) {
    const int64_t to = (slice.row + row) * finish.stride + output;
#pragma GCC unroll 8
    for (int64_t v = 0; v < kVectors; ++v) {
      Vector y;
      __builtin_memcpy(&y, finish.bias + output + v * kWidth, KERNEL_BYTES);
      y += in_units(Dot{}, block[row][v], output + v * kWidth, finish, x, slice.row + row);
      if (!at_once) {
        __builtin_memcpy(sums + row * kPanel + v * kWidth, &y, KERNEL_BYTES);
        continue;
      }
      if (positive) y = y < 0 ? Vector{} : y;
      if (finish.added) {
        Vector added;
        __builtin_memcpy(&added, finish.added + to + v * kWidth, KERNEL_BYTES);
        y += added;
      }
      __builtin_memcpy(finish.out + to + v * kWidth, &y, KERNEL_BYTES);
    }
  }
}

/// What is not finished at once, of the rows [first, last); `sums` [last - first, kPanel] are numbers.
static void finish_rows(const uint32_t* sums, int64_t first, int64_t last, const Finish& finish) {
  for (int64_t row = first; row < last; ++row, sums += kPanel) {
    for (int64_t at = 0; at < finish.outputs; at += kLanes) {
      const int64_t left = finish.outputs - at, to = row * finish.stride + at;
      Lanes y = load(reinterpret_cast<const float*>(sums) + at);
      if (finish.activation != Activation::none) {
        for (Vector& part : y.parts) part = activated(part, finish.activation);
      }
      if (finish.added) y = y + load_some(finish.added + to, left);
      store_some(y, finish.out + to, left);
    }
  }
}

/// As many outputs at a time as registers allow: few rows take more of them, so that there are enough chains.
template <typename Dot, int64_t kRows>
static void multiply_rows(const Slice& slice, const PackedRows& x, const Finish& finish) {
  constexpr int64_t kVectors = KERNEL_BYTES == 64 ? 4 : kRows == 1 ? 8 : kRows == 2 ? 4 : 2;
  for (int64_t output = 0; output < kPanel; output += kVectors * kWidth) {
    add_products<Dot, kRows, kVectors>(slice, output, x, finish);
  }
  if (slice.last && !finishes_at_once(finish)) finish_rows(slice.sums, slice.row, slice.row + kRows, finish);
}

template <typename Dot>
static void multiply_block(int64_t rows, const Slice& slice, const PackedRows& x, const Finish& finish) {
  switch (rows) {
    case 1: return multiply_rows<Dot, 1>(slice, x, finish);
    case 2: return multiply_rows<Dot, 2>(slice, x, finish);
    case 3: return multiply_rows<Dot, 3>(slice, x, finish);
    case 4: return multiply_rows<Dot, 4>(slice, x, finish);
    case 5: return multiply_rows<Dot, 5>(slice, x, finish);
    default: return multiply_rows<Dot, kRowsOfBlock>(slice, x, finish);
  }
}

/// One panel. Words of depth are taken some at a time, so that those of the panel stay in the cache while all rows
/// pass; `sums` is room for [rows, kPanel]. Meanwhile `ahead` is fetched, or what follows up to `end`: but for a single
/// block, which reads the panel only once, in order, as the processor expects.
template <typename Dot>
static void multiply_panel(const uint32_t* panel, const uint32_t* end, int64_t depth, const PackedRows& x, int64_t rows,
                           uint32_t* sums, Ahead* ahead, const Finish& finish) {
  constexpr int64_t kDepth = 512;
  const auto* words = static_cast<const uint32_t*>(x.words);
  const int64_t step = rows <= kRowsOfBlock ? depth : kDepth;
  int64_t from = 0;
  do {
    const int64_t count = depth - from < step ? depth - from : step;
    const uint32_t* const weights = panel + from * kPanel;
    const int64_t left = end - weights - count * kPanel, next = rows <= kRowsOfBlock ? 0 : count * kPanel;
    Ahead following{weights + count * kPanel, left < next ? left : next};
    for (int64_t row = 0, blocks = (rows + kRowsOfBlock - 1) / kRowsOfBlock; row < rows; --blocks) {
      const int64_t size = (rows - row + blocks - 1) / blocks;  // blocks of nearly equal size
      const Slice slice{weights,
                        words + row * x.stride + from,
                        x.stride,
                        count,
                        from == 0,
                        from + count == depth,
                        depth <= step ? sums : sums + row * kPanel,
                        row,
                        (ahead ? *ahead : following).take(count, weights)};
      multiply_block<Dot>(size, slice, x, finish);
      row += size;
    }
    from += count;
  } while (from < depth);
}

/// Outputs of some panels into `out`, whose first column is the first of these; `sums` is room for [rows, kPanel].
void multiply_panels(const PackedMatrix::Packed& w, int64_t first, int64_t last, const PackedRows& x, int64_t rows,
                     uint32_t* sums, float* out, int64_t out_stride, Activation activation, const float* added,
                     Ahead* ahead) {
  const uint32_t* const end = w.words.get() + w.words_count();
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
      case Precision::fp32: multiply_panel<Fp32>(words, end, w.depth, x, rows, sums, ahead, finish); break;
      case Precision::bf16: multiply_panel<Bf16>(words, end, w.depth, x, rows, sums, ahead, finish); break;
      case Precision::int8: multiply_panel<Int8>(words, end, w.depth, x, rows, sums, ahead, finish); break;
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
