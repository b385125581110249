// The cells of recurrent networks, for one row: what comes after the matrix products. As `row.h`: the same result on
// every instruction set. Gates lie side by side in the order of torch's weights.
#pragma once

#include <cstdint>

namespace seq2seq_kit::kernels {

/// Long short-term memory (Hochreiter & Schmidhuber 1997): `gates` [4, size] of the input, of forgetting, of what is
/// new and of the output, `c` [size] before; `new_h` and `new_c` [size], the latter may be `c`.
void lstm_cell(const float* gates, const float* c, int64_t size, float* new_h, float* new_c);

/// Gated recurrent unit (Cho et al. 2014): `x` and `past` [3, size] of reset, of update and of what is new, from the
/// input and from `h` [size]; `new_h` [size] may be `h`.
void gru_cell(const float* x, const float* past, const float* h, int64_t size, float* new_h);

/// tanh of each of `x` [size], to less than two units in the last place; `out` [size] may be `x`.
void hyperbolic_tangent(const float* x, int64_t size, float* out);

}  // namespace seq2seq_kit::kernels
