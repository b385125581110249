#include "core/transformer/positions.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "seq2seq_kit/errors.h"

namespace seq2seq_kit::transformer {

StepPosition Positions::at(int64_t position, int64_t size, int64_t heads) const {
  const auto place = static_cast<float>(position);
  StepPosition step;
  if (!sinusoidal.empty()) {
    const auto number = static_cast<float>(position + offset);
    for (const float frequency : sinusoidal) step.added.push_back(std::sin(number * frequency));
    for (const float frequency : sinusoidal) step.added.push_back(std::cos(number * frequency));
    step.added.resize(size);
  }
  if (!learned.empty()) {
    const int64_t known = static_cast<int64_t>(learned.size()) / size;
    if (position >= known) {
      throw SearchError("there are learned positions for sequences of up to " + std::to_string(known) +
                        " tokens, and here is one of " + std::to_string(position + 1) +
                        ": raise max_positions before training, or shorten what is read or written");
    }
    step.added.assign(learned.begin() + position * size, learned.begin() + (position + 1) * size);
  }
  for (const float frequency : rotary) {
    step.cosine.push_back(std::cos(place * frequency));
    step.sine.push_back(std::sin(place * frequency));
  }
  if (slopes.empty() && biases.empty()) return step;
  const int64_t last = static_cast<int64_t>(biases.size()) / heads - 1;
  for (int64_t head = 0; head < heads; ++head) {
    for (int64_t distance = position; distance >= 0; --distance) {
      step.bias.push_back(slopes.empty() ? biases[std::min(distance, last) * heads + head]
                                         : -slopes[head] * static_cast<float>(distance));
    }
  }
  return step;
}

}  // namespace seq2seq_kit::transformer
