#include "core/kernels/lanes.inl"
#include "core/kernels/numbers.inl"

/// A matrix of floats in scratch: rows of a multiple of sixteen, the columns beyond the last zero unless said
/// otherwise.
struct Matrix {
  float* first;
  int64_t stride;

  float* row(int64_t i) const { return first + i * stride; }
};

/// R rows and 16 C columns of `product`.
template <int R, int C>
static inline void product_block(const float* a, int64_t a_row, int64_t a_column, const float* b, int64_t b_row,
                                 float* c, int64_t c_row, int64_t inner, bool add) {
  Lanes sums[R][C];
  for (int r = 0; r < R; ++r) {
    for (int j = 0; j < C; ++j) sums[r][j] = add ? load(c + r * c_row + j * kLanes) : all(0);
  }
  for (int64_t k = 0; k < inner; ++k) {
    Lanes x[C];
    for (int j = 0; j < C; ++j) x[j] = load(b + k * b_row + j * kLanes);
    for (int r = 0; r < R; ++r) {
      const float y = a[r * a_row + k * a_column];
      for (int j = 0; j < C; ++j) {
        for (int64_t i = 0; i < kParts; ++i) sums[r][j].parts[i] += y * x[j].parts[i];
      }
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int j = 0; j < C; ++j) store(c + r * c_row + j * kLanes, sums[r][j]);
  }
}

template <int R>
static inline void product_rows(const float* a, int64_t a_row, int64_t a_column, Matrix b, float* c, int64_t c_row,
                                int64_t inner, int64_t columns, bool add) {
  int64_t j = 0;
  for (; j + 2 * kLanes <= columns; j += 2 * kLanes) {
    product_block<R, 2>(a, a_row, a_column, b.first + j, b.stride, c + j, c_row, inner, add);
  }
  if (j < columns) product_block<R, 1>(a, a_row, a_column, b.first + j, b.stride, c + j, c_row, inner, add);
}

/// c = a b, or c + a b: a [rows, inner] with any strides, b [inner, columns], columns in whole sixteens.
static inline void product(const float* a, int64_t a_row, int64_t a_column, Matrix b, Matrix c, int64_t rows,
                           int64_t inner, int64_t columns, bool add) {
  int64_t i = 0;
  for (; i + 4 <= rows; i += 4) {
    product_rows<4>(a + i * a_row, a_row, a_column, b, c.row(i), c.stride, inner, columns, add);
  }
  for (; i < rows; ++i) {
    product_rows<1>(a + i * a_row, a_row, a_column, b, c.row(i), c.stride, inner, columns, add);
  }
}

template <typename Number>
static inline void read(Vectors<const Number> from, int64_t head, int64_t start, int64_t rows, int64_t size,
                        Matrix to) {
  for (int64_t i = 0; i < rows; ++i) {
    float* row = to.row(i);
    for_lanes(from.at(head, start + i), size, 0,
              [&](int64_t at, int64_t, const Lanes& x) __attribute__((always_inline)) { store(row + at, x); });
  }
}

template <typename Number>
static inline void write(Matrix from, int64_t rows, int64_t size, float scale, Vectors<Number> to, int64_t head,
                         int64_t start) {
  for (int64_t i = 0; i < rows; ++i) {
    Number* row = to.at(head, start + i);
    for_lanes(from.row(i), size, 0, [&](int64_t at, int64_t count, Lanes x) __attribute__((always_inline)) {
      for (Vector& part : x.parts) part *= scale;
      put(row + at, x, count);
    });
  }
}

static inline void transpose(Matrix from, int64_t rows, int64_t columns, Matrix to) {
  for (int64_t j = 0; j < columns; ++j) {
    float* row = to.row(j);
    for (int64_t i = 0; i < rows; ++i) row[i] = from.row(i)[j];
    for (int64_t i = rows; i < to.stride; ++i) row[i] = 0;
  }
}

static inline void clear(Matrix matrix, int64_t rows) {
  for (int64_t i = 0; i < rows * matrix.stride; ++i) matrix.first[i] = 0;
}

/// The parts of the scratch memory, one after the other.
struct Scratch {
  float* next;

  Matrix take(int64_t rows, int64_t columns) {
    const Matrix matrix{next, round_up(columns)};
    next += rows * matrix.stride;
    return matrix;
  }
};

/// How many keys some query before `end` sees.
static inline int64_t seen_keys(const AttentionShape& shape, int64_t end) {
  return shape.causal && end < shape.keys ? end : shape.keys;
}

/// The scores of the queries from `start` on, in `rows` [count]: scaled, with the bias, minus infinity where a key is
/// barred and beyond the last.
static inline void finish_scores(const AttentionShape& shape, int64_t head, int64_t start, int64_t count,
                                 int64_t columns, Matrix scores) {
  for (int64_t i = 0; i < count; ++i) {
    const int64_t query = start + i, seen = seen_keys(shape, query + 1);
    float* row = scores.row(i);
    if (shape.bias) {
      const float* bias = shape.bias + head * shape.bias_head_stride + query * shape.bias_query_stride;
      for_lanes(bias, seen, kNone, [&](int64_t at, int64_t, Lanes x) __attribute__((always_inline)) {
        const Lanes score = load(row + at);
        for (int64_t p = 0; p < kParts; ++p) x.parts[p] += score.parts[p] * shape.scale;
        store(row + at, x);
      });
    } else {
      for (int64_t j = 0; j < columns; j += kLanes) {
        Lanes x = load(row + j);
        for (Vector& part : x.parts) part *= shape.scale;
        store(row + j, x);
      }
    }
    for (int64_t j = seen; j < columns; ++j) row[j] = kNone;
  }
}

template <typename Number>
void attend_group(const AttentionShape& shape, Vectors<const Number> query, Vectors<const Number> keys,
                  Vectors<const Number> values, Vectors<Number> contexts, float* norms, float* scratch) {
  const int64_t size = shape.size, whole = round_up(size);
  Scratch free{scratch};
  const Matrix k = free.take(shape.keys, size), v = free.take(shape.keys, size), k_t = free.take(size, shape.keys);
  const Matrix q = free.take(kQueries, size), p = free.take(kQueries, shape.keys), c = free.take(kQueries, size);
  read(keys, 0, 0, shape.keys, size, k);
  read(values, 0, 0, shape.keys, size, v);
  transpose(k, shape.keys, size, k_t);
  for (int64_t head = 0; head < shape.heads; ++head) {
    for (int64_t start = 0; start < shape.queries; start += kQueries) {
      const int64_t count = shape.queries - start < kQueries ? shape.queries - start : kQueries;
      const int64_t seen = seen_keys(shape, start + count), columns = round_up(seen);
      read(query, head, start, count, size, q);
      product(q.first, q.stride, 1, k_t, p, count, size, columns, false);
      finish_scores(shape, head, start, count, columns, p);
      for (int64_t i = 0; i < count; ++i) {
        float* row = p.row(i);
        Lanes maxima = all(kNone), sums = all(0);
        for (int64_t j = 0; j < columns; j += kLanes) maxima = greater(maxima, load(row + j));
        const float greatest_score = greatest(maxima);
        const float max = greatest_score == kNone ? 0 : greatest_score;
        for (int64_t j = 0; j < columns; j += kLanes) {
          Lanes x = load(row + j);
          for (int64_t part = 0; part < kParts; ++part) {
            x.parts[part] = exp_of_negative(x.parts[part] - max);
            sums.parts[part] += x.parts[part];
          }
          store(row + j, x);
        }
        const float mass = sum(sums), inverse = mass == 0 ? 0 : 1 / mass;
        norms[head * shape.queries + start + i] = mass == 0 ? -kNone : max + std::log(mass);
        for (int64_t j = 0; j < columns; j += kLanes) {
          Lanes x = load(row + j);
          for (Vector& part : x.parts) part *= inverse;
          store(row + j, x);
        }
      }
      product(p.first, p.stride, 1, v, c, count, seen, whole, false);
      write(c, count, size, 1, contexts, head, start);
    }
  }
}

template <typename Number>
void attend_group_backward(const AttentionShape& shape, Vectors<const Number> query, Vectors<const Number> keys,
                           Vectors<const Number> values, const float* norms,
                           const AttentionGradients<Number>& gradients, float* scratch) {
  const int64_t size = shape.size, whole = round_up(size);
  Scratch free{scratch};
  const Matrix k = free.take(shape.keys, size), v = free.take(shape.keys, size);
  const Matrix k_t = free.take(size, shape.keys), v_t = free.take(size, shape.keys);
  const Matrix d_k = free.take(shape.keys, size), d_v = free.take(shape.keys, size);
  const Matrix q = free.take(kQueries, size), d_c = free.take(kQueries, size), d_q = free.take(kQueries, size);
  const Matrix p = free.take(kQueries, shape.keys), d_p = free.take(kQueries, shape.keys);
  read(keys, 0, 0, shape.keys, size, k);
  read(values, 0, 0, shape.keys, size, v);
  transpose(k, shape.keys, size, k_t);
  transpose(v, shape.keys, size, v_t);
  clear(d_k, shape.keys);
  clear(d_v, shape.keys);
  for (int64_t head = 0; head < shape.heads; ++head) {
    for (int64_t start = 0; start < shape.queries; start += kQueries) {
      const int64_t count = shape.queries - start < kQueries ? shape.queries - start : kQueries;
      const int64_t seen = seen_keys(shape, start + count), columns = round_up(seen);
      read(query, head, start, count, size, q);
      read(gradients.slope, head, start, count, size, d_c);
      product(q.first, q.stride, 1, k_t, p, count, size, columns, false);
      finish_scores(shape, head, start, count, columns, p);
      product(d_c.first, d_c.stride, 1, v_t, d_p, count, size, columns, false);
      for (int64_t i = 0; i < count; ++i) {
        float *row = p.row(i), *d_row = d_p.row(i);
        const float norm = norms[head * shape.queries + start + i];
        Lanes sums = all(0);
        for (int64_t j = 0; j < columns; j += kLanes) {
          Lanes x = load(row + j);
          const Lanes d = load(d_row + j);
          for (int64_t part = 0; part < kParts; ++part) {
            x.parts[part] = exp_of_negative(x.parts[part] - norm);
            sums.parts[part] += x.parts[part] * d.parts[part];
          }
          store(row + j, x);
        }
        const float mean = sum(sums);  // of the weights' gradients, by the weights
        for (int64_t j = 0; j < columns; j += kLanes) {
          const Lanes x = load(row + j);
          Lanes d = load(d_row + j);  // becomes the gradient of the scores
          for (int64_t part = 0; part < kParts; ++part) d.parts[part] = x.parts[part] * (d.parts[part] - mean);
          store(d_row + j, d);
        }
      }
      product(p.first, 1, p.stride, d_c, d_v, seen, count, whole, true);
      product(d_p.first, 1, d_p.stride, q, d_k, seen, count, whole, true);
      product(d_p.first, d_p.stride, 1, k, d_q, count, seen, whole, false);
      write(d_q, count, size, shape.scale, gradients.query, head, start);
    }
  }
  write(d_k, shape.keys, size, shape.scale, gradients.keys, 0, 0);
  write(d_v, shape.keys, size, 1, gradients.values, 0, 0);
}

void attend_float(const AttentionShape& shape, Vectors<const float> query, Vectors<const float> keys,
                  Vectors<const float> values, Vectors<float> contexts, float* norms, float* scratch) {
  attend_group(shape, query, keys, values, contexts, norms, scratch);
}

void attend_bfloat16(const AttentionShape& shape, Vectors<const Bfloat16> query, Vectors<const Bfloat16> keys,
                     Vectors<const Bfloat16> values, Vectors<Bfloat16> contexts, float* norms, float* scratch) {
  attend_group(shape, query, keys, values, contexts, norms, scratch);
}

void attend_backward_float(const AttentionShape& shape, Vectors<const float> query, Vectors<const float> keys,
                           Vectors<const float> values, const float* norms, const AttentionGradients<float>& gradients,
                           float* scratch) {
  attend_group_backward(shape, query, keys, values, norms, gradients, scratch);
}

void attend_backward_bfloat16(const AttentionShape& shape, Vectors<const Bfloat16> query, Vectors<const Bfloat16> keys,
                              Vectors<const Bfloat16> values, const float* norms,
                              const AttentionGradients<Bfloat16>& gradients, float* scratch) {
  attend_group_backward(shape, query, keys, values, norms, gradients, scratch);
}
