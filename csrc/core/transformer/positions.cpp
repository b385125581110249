#include "core/transformer/positions.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

#include "seq2seq_kit/errors.h"

namespace seq2seq_kit::transformer {

void Turn::operator()(float* heads, int64_t count) const {
  const auto half = static_cast<int64_t>(cosine.size());
  for (int64_t head = 0; head < count; ++head, heads += 2 * half) {
    for (int64_t i = 0; i < half; ++i) {
      const float first = heads[i], second = heads[i + half];
      heads[i] = first * cosine[i] - second * sine[i];
      heads[i + half] = second * cosine[i] + first * sine[i];
    }
  }
}

StepPosition Positions::at(int64_t position, int64_t size, int64_t heads) const {
  check_learned(position + 1, size);
  StepPosition step;
  add(position, size, step.added);
  step.turn = turn(position);
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

AllPositions Positions::all(int64_t count, int64_t size, int64_t heads) const {
  check_learned(count, size);
  AllPositions positions;
  positions.count = count;
  for (int64_t position = 0; position < count; ++position) {
    add(position, size, positions.added);
    if (!rotary.empty()) positions.turns.push_back(turn(position));
  }
  if (slopes.empty() && biases.empty()) return positions;
  const int64_t last = static_cast<int64_t>(biases.size()) / heads / 2;
  for (int64_t head = 0; head < heads; ++head) {
    for (int64_t behind = 1 - count; behind < count; ++behind) {
      positions.bias.push_back(slopes.empty() ? biases[(std::clamp(behind, -last, last) + last) * heads + head]
                                              : -slopes[head] * static_cast<float>(std::abs(behind)));
    }
  }
  return positions;
}

void Positions::check_learned(int64_t length, int64_t size) const {
  const int64_t known = static_cast<int64_t>(learned.size()) / size;
  if (learned.empty() || length <= known) return;
  throw SearchError("there are learned positions for sequences of up to " + std::to_string(known) +
                    " tokens, and here is one of " + std::to_string(length) +
                    ": raise max_positions before training, or shorten what is read or written");
}

void Positions::add(int64_t position, int64_t size, std::vector<float>& to) const {
  const auto begin = to.size();
  if (!sinusoidal.empty()) {
    const auto number = static_cast<float>(position + offset);
    for (const float frequency : sinusoidal) to.push_back(std::sin(number * frequency));
    for (const float frequency : sinusoidal) to.push_back(std::cos(number * frequency));
    to.resize(begin + size);
  }
  if (learned.empty()) return;
  to.insert(to.end(), learned.begin() + position * size, learned.begin() + (position + 1) * size);
}

Turn Positions::turn(int64_t position) const {
  Turn turn;
  const auto place = static_cast<float>(position);
  for (const float frequency : rotary) {
    turn.cosine.push_back(std::cos(place * frequency));
    turn.sine.push_back(std::sin(place * frequency));
  }
  return turn;
}

}  // namespace seq2seq_kit::transformer
