#include "core/recurrent/block.h"

#include <algorithm>

#include "core/kernels/attention.h"
#include "core/kernels/recurrent.h"
#include "core/recurrent/cells.h"

namespace seq2seq_kit::recurrent {
namespace {

using kernels::multiply;

/// Room for at least `count` numbers.
float* room(std::vector<float>& buffer, int64_t count) {
  if (static_cast<int64_t>(buffer.size()) < count) buffer.resize(count);
  return buffer.data();
}

}  // namespace

const float* Block::run(const Step& step, int64_t first, int64_t last) {
  step_ = &step;
  first_ = first;
  rows_ = last - first;
  read_inputs();
  recur();
  combine();
  if (step.weights->input_feeding) {
    const int64_t size = step.layout.size;
    for (int64_t row = 0; row < rows_; ++row) {
      std::copy_n(hidden_.data() + row * size, size, step.state->after(first_ + row) + step.layout.feed());
    }
  }
  return hidden_.data();
}

/// Of the lowest layer: the embedding, what was fed back, the context.
void Block::read_inputs() {
  const Weights& weights = *step_->weights;
  const StateLayout& layout = step_->layout;
  const int64_t width = weights.layers.front().input.inputs(), embedding_size = weights.embedding_size;
  float* inputs = room(inputs_, rows_ * width);
  for (int64_t row = 0; row < rows_; ++row) {
    const float* embedding = weights.embedding + step_->tokens[first_ + row] * embedding_size;
    float* to = inputs + row * width;
    for (int64_t i = 0; i < embedding_size; ++i) to[i] = embedding[i] * weights.embedding_scale;
    if (weights.input_feeding) {
      std::copy_n(step_->state->before(first_ + row) + layout.feed(), layout.size, to + embedding_size);
    }
  }
  if (!weights.query_before) return;
  look_up(before(layout.h(layout.layers - 1), past_h_), layout.size, inputs + width - weights.context_size(), width);
}

void Block::recur() {
  const Weights& weights = *step_->weights;
  const StateLayout& layout = step_->layout;
  const int64_t size = layout.size;
  float* after = step_->state->after(first_);
  const float* x = inputs_.data();
  int64_t x_stride = weights.layers.front().input.inputs();
  for (int64_t index = 0; index < layout.layers; ++index) {
    const Layer& layer = weights.layers[index];
    const int64_t width = layer.input.outputs();
    float* gates = room(gates_, rows_ * width);
    multiply(layer.input, x, rows_, x_stride, gates, width);
    States<const float> from{before(layout.h(index), past_h_), nullptr, size};
    States<float> to{after + layout.h(index), nullptr, layout.stride};
    if (weights.cell == Cell::lstm) {
      from.c = before(layout.c(index), past_c_);
      to.c = after + layout.c(index);
    }
    advance(weights.cell, layer.recurrent, gates, rows_, from, to, past_gates_);
    x = to.h;
    x_stride = layout.stride;
  }
}

/// tanh(W_c [context; h]), or h where there is nothing to look up.
void Block::combine() {
  const Weights& weights = *step_->weights;
  const StateLayout& layout = step_->layout;
  const int64_t size = layout.size;
  const float* top = step_->state->after(first_) + layout.h(layout.layers - 1);
  float* hidden = room(hidden_, rows_ * size);
  if (!weights.combine) {
    for (int64_t row = 0; row < rows_; ++row) std::copy_n(top + row * layout.stride, size, hidden + row * size);
    return;
  }
  const int64_t context = weights.context_size(), width = context + size;
  float* combined = room(combined_, rows_ * width);
  if (weights.query_before) {
    const int64_t inputs = weights.layers.front().input.inputs();
    for (int64_t row = 0; row < rows_; ++row) {
      std::copy_n(inputs_.data() + (row + 1) * inputs - context, context, combined + row * width);
    }
  } else {
    look_up(top, layout.stride, combined, width);
  }
  for (int64_t row = 0; row < rows_; ++row) {
    std::copy_n(top + row * layout.stride, size, combined + row * width + context);
  }
  multiply(*weights.combine, combined, rows_, width, hidden, size);
  kernels::hyperbolic_tangent(hidden, rows_ * size, hidden);
}

const float* Block::before(int64_t offset, std::vector<float>& buffer) {
  const int64_t size = step_->layout.size;
  float* rows = room(buffer, rows_ * size);
  for (int64_t row = 0; row < rows_; ++row) {
    std::copy_n(step_->state->before(first_ + row) + offset, size, rows + row * size);
  }
  return rows;
}

void Block::look_up(const float* queries, int64_t queries_stride, float* contexts, int64_t stride) {
  const Weights& weights = *step_->weights;
  const Attention& attention = *weights.attention;
  const Source& source = *step_->source;
  const int64_t key_size = weights.key_size() / attention.heads, value_size = weights.value_size() / attention.heads;
  if (attention.query) {
    float* projected = room(queries_, rows_ * weights.key_size());
    multiply(*attention.query, queries, rows_, queries_stride, projected, weights.key_size());
    queries = projected;
    queries_stride = weights.key_size();
  }
  float* mixed = attention.out ? room(mixed_, rows_ * weights.value_size()) : contexts;
  const int64_t mixed_stride = attention.out ? weights.value_size() : stride;
  for (int64_t first = 0; first < rows_; first += step_->beams) {  // the rows of a sentence
    const int64_t beams = step_->beams, sentence = step_->sentences[(first_ + first) / beams];
    const auto places = source.positions(sentence);
    const auto count = static_cast<int64_t>(places.size());
    float* scores = room(scores_, beams * count);
    for (int64_t head = 0; head < attention.heads; ++head) {
      const float* query = queries + first * queries_stride + head * key_size;
      const float* keys = source.keys(sentence) + head * key_size;
      const float* values = source.keys(sentence) + source.values_offset() + head * value_size;
      const kernels::Positions positions{keys, values, source.stride(), nullptr, count};
      float* context = mixed + first * mixed_stride + head * value_size;
      if (attention.energy.empty()) {
        kernels::attend({query, beams, queries_stride, scores, context, mixed_stride}, key_size, value_size, positions,
                        attention.scale);
      } else {
        for (int64_t k = 0; k < beams; ++k) {
          kernels::attend_additively(query + k * queries_stride, attention.energy.data(), key_size, value_size,
                                     positions, scores + k * count, context + k * mixed_stride);
        }
      }
      if (!step_->attention) continue;
      float* attended = step_->attention + (first_ + first) * source.width();
      for (int64_t k = 0; k < beams; ++k, attended += source.width()) {
        for (int64_t i = 0; i < count; ++i) {
          attended[places[i]] += scores[k * count + i] / static_cast<float>(attention.heads);
        }
      }
    }
  }
  if (attention.out) multiply(*attention.out, mixed, rows_, mixed_stride, contexts, stride);
}

}  // namespace seq2seq_kit::recurrent
