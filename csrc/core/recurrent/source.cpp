#include "core/recurrent/source.h"

#include <algorithm>

#include "core/kernels/recurrent.h"
#include "core/recurrent/state.h"

namespace seq2seq_kit::recurrent {
namespace {

/// The mean of each sentence's states, zeros for an empty one: [B, size].
std::vector<float> means(const RealPositions& real, const std::vector<float>& states, int64_t size) {
  std::vector<float> means(real.batch() * size);
  for (int64_t sentence = 0; sentence < real.batch(); ++sentence) {
    const auto count = static_cast<int64_t>(real.of(sentence).size());
    float* mean = means.data() + sentence * size;
    for (int64_t row = real.begin(sentence); row < real.begin(sentence) + count; ++row) {
      for (int64_t i = 0; i < size; ++i) mean[i] += states[row * size + i];
    }
    for (int64_t i = 0; i < size && count > 0; ++i) mean[i] /= static_cast<float>(count);
  }
  return means;
}

}  // namespace

Source::Source(const Weights& weights, const Memory& memory) : real_(memory.real, memory.batch) {
  std::vector<float> states;
  if (memory.states) states = real_.gather(memory.states, weights.memory_size);
  if (weights.attention) project(weights, states);
  begin(weights, memory, states);
}

void Source::project(const Weights& weights, const std::vector<float>& states) {
  const Attention& attention = *weights.attention;
  const int64_t size = weights.memory_size, count = real_.count();
  values_offset_ = attention.key ? weights.key_size() : 0;
  stride_ = values_offset_ + weights.value_size();
  looked_up_.resize(count * stride_);
  float* values = looked_up_.data() + values_offset_;
  if (attention.key) kernels::multiply(*attention.key, states.data(), count, size, looked_up_.data(), stride_);
  if (attention.value) {
    kernels::multiply(*attention.value, states.data(), count, size, values, stride_);
  } else {
    for (int64_t row = 0; row < count; ++row) std::copy_n(states.data() + row * size, size, values + row * stride_);
  }
}

void Source::begin(const Weights& weights, const Memory& memory, const std::vector<float>& states) {
  const StateLayout layout(weights);
  start_.resize(batch() * layout.stride);
  const auto fill = [&](const Start& start, const Memory::Final& final, int64_t offset, bool squashed) {
    if (start.from == Start::From::zeros) return;
    const bool from_mean = start.from == Start::From::mean;
    const std::vector<float> mean = from_mean ? means(real_, states, weights.memory_size) : std::vector<float>();
    const Memory::Final given = from_mean ? Memory::Final{mean.data(), 1, weights.memory_size} : final;
    for (int64_t layer = 0; layer < layout.layers; ++layer) {
      // Layers are matched from the top; the lowest serves those that it has no partner for.
      const int64_t partner = std::max<int64_t>(0, given.count - layout.layers + layer);
      const float* from = given.layers + partner * given.size;
      float* to = start_.data() + offset + layer * layout.size;
      if (!start.linear.empty()) {
        kernels::multiply(start.linear[layer], from, batch(), given.count * given.size, to, layout.stride);
      }
      for (int64_t sentence = 0; sentence < batch(); ++sentence, to += layout.stride) {
        if (start.linear.empty()) std::copy_n(from + sentence * given.count * given.size, layout.size, to);
        if (squashed) kernels::hyperbolic_tangent(to, layout.size, to);
      }
    }
  };
  fill(weights.start_h, memory.h, layout.h(0), !weights.start_h.linear.empty());
  if (weights.cell == Cell::lstm) fill(weights.start_c, memory.c, layout.c(0), false);
}

}  // namespace seq2seq_kit::recurrent
