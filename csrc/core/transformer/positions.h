// How a Transformer decoder knows which position it is at.
#pragma once

#include <cstdint>
#include <vector>

namespace seq2seq_kit::transformer {

/// What a step is told of its position: the same for all rows and layers.
struct StepPosition {
  std::vector<float> added;         // [H], to embeddings; empty: nothing is
  std::vector<float> cosine, sine;  // [D / 2], of the angles that queries and keys are turned by; empty: they are not
  std::vector<float> bias;          // [heads, t + 1], to the scores of keys; empty: none
};

/// One kind of positions, or none: at most one of these is not empty.
struct Positions {
  std::vector<float> sinusoidal;  // [(H + 1) / 2] frequencies, sines before cosines (Vaswani et al. 2017)
  int64_t offset;                 // the first position's number in them
  std::vector<float> learned;     // [positions, H] (Gehring et al. 2017)
  std::vector<float> rotary;      // [D / 2] frequencies; dimension i is paired with i + D / 2 (Su et al. 2021)
  std::vector<float> slopes;      // [heads], of a bias that falls with the distance (Press et al. 2022)
  std::vector<float> biases;      // [distances, heads], the last for all beyond (Raffel et al. 2020)

  /// Throws a SearchError where `position` has no learned embedding.
  StepPosition at(int64_t position, int64_t size, int64_t heads) const;
};

}  // namespace seq2seq_kit::transformer
