#include "core/recurrent/state.h"

#include <numeric>
#include <utility>

namespace seq2seq_kit::recurrent {

StateLayout::StateLayout(const Weights& weights)
    : size(weights.size()), layers(static_cast<int64_t>(weights.layers.size())) {
  const int64_t parts = layers * (weights.cell == Cell::lstm ? 2 : 1) + (weights.input_feeding ? 1 : 0);
  stride = parts * size;
}

State::State(std::vector<float> start, int64_t stride) : stride_(stride), past_(std::move(start)) {
  parents_.resize(static_cast<int64_t>(past_.size()) / stride);
  std::iota(parents_.begin(), parents_.end(), 0);
}

void State::close_step() {
  std::swap(past_, next_);
  std::iota(parents_.begin(), parents_.end(), 0);
}

void State::select(std::span<const int64_t> parents) {
  std::vector<int64_t> chosen;
  chosen.reserve(parents.size());
  for (const int64_t parent : parents) chosen.push_back(parents_[parent]);
  parents_ = std::move(chosen);
}

}  // namespace seq2seq_kit::recurrent
