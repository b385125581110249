#include "core/transformer/stream.h"

namespace seq2seq_kit::transformer {

using kernels::multiply;

void Stream::begin(float* x, int64_t rows, int64_t size, bool pre_norm) {
  x_ = x;
  rows_ = rows;
  size_ = size;
  pre_norm_ = pre_norm;
}

const float* Stream::enter(const Norm& norm) {
  if (!pre_norm_) return x_;
  norm(x_, rows_, room(normed_, rows_ * size_));
  return normed_.data();
}

void Stream::add(const kernels::PackedMatrix& matrix, const float* inputs) {
  multiply(matrix, inputs, rows_, matrix.inputs(), x_, size_, kernels::Activation::none, x_);
}

void Stream::leave(const Norm& norm) {
  if (!pre_norm_) norm(x_, rows_, x_);
}

void Stream::feed_forward(const Layer& layer) {
  const FeedForward& network = layer.feed_forward;
  const int64_t width = network.hidden.outputs();
  const float* inputs = enter(layer.feed_forward_norm);
  float* hidden = room(hidden_, rows_ * width);
  if (network.gate) {
    float* gate = room(gate_, rows_ * width);
    multiply(*network.gate, inputs, rows_, size_, gate, width, network.activation);
    multiply(network.hidden, inputs, rows_, size_, hidden, width);
    for (int64_t i = 0; i < rows_ * width; ++i) hidden[i] *= gate[i];
  } else {
    multiply(network.hidden, inputs, rows_, size_, hidden, width, network.activation);
  }
  add(network.out, hidden);
  leave(layer.feed_forward_norm);
}

}  // namespace seq2seq_kit::transformer
