// One layer's recurrence for some rows.
#pragma once

#include <cstdint>
#include <vector>

#include "core/recurrent/weights.h"

namespace seq2seq_kit::recurrent {

/// Rows of states, `stride` numbers apart.
template <typename Number>
struct States {
  Number* h;
  Number* c;  // of an LSTM
  int64_t stride;
};

/// `after` = the cell of `gates` [rows, gates of the layer], what the layer's input gives, and of the states `before`,
/// whose h are `stride` apart too. `after` may be `before`; `gates` are overwritten, and `room` keeps memory.
void advance(Cell cell, const kernels::PackedMatrix& recurrent, float* gates, int64_t rows,
             const States<const float>& before, const States<float>& after, std::vector<float>& room);

}  // namespace seq2seq_kit::recurrent
