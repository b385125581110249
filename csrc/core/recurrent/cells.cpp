#include "core/recurrent/cells.h"

#include "core/kernels/recurrent.h"

namespace seq2seq_kit::recurrent {

void advance(Cell cell, const kernels::PackedMatrix& recurrent, float* gates, int64_t rows,
             const States<const float>& before, const States<float>& after, std::vector<float>& room) {
  const int64_t size = recurrent.inputs(), width = recurrent.outputs();
  float* of_past = gates;  // the sum of the two products, but for a GRU, which reads them apart
  if (cell == Cell::gru) {
    if (static_cast<int64_t>(room.size()) < rows * width) room.resize(rows * width);
    of_past = room.data();
  }
  kernels::multiply(recurrent, before.h, rows, before.stride, of_past, width, kernels::Activation::none,
                    cell == Cell::gru ? nullptr : gates);
  for (int64_t row = 0; row < rows; ++row, gates += width, of_past += width) {
    const int64_t from = row * before.stride, to = row * after.stride;
    switch (cell) {
      case Cell::rnn:
        kernels::hyperbolic_tangent(gates, size, after.h + to);
        break;
      case Cell::gru:
        kernels::gru_cell(gates, of_past, before.h + from, size, after.h + to);
        break;
      case Cell::lstm:
        kernels::lstm_cell(gates, before.c + from, size, after.h + to, after.c + to);
        break;
    }
  }
}

}  // namespace seq2seq_kit::recurrent
