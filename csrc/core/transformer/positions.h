// How a Transformer knows which position it is at.
#pragma once

#include <cstdint>
#include <vector>

namespace seq2seq_kit::transformer {

/// The angles by which queries and keys at a position are turned (Su et al. 2021).
struct Turn {
  std::vector<float> cosine, sine;  // [D / 2]; empty: they are not

  /// Dimensions i and i + D / 2 of `heads` [count, D], for every i.
  void operator()(float* heads, int64_t count) const;
};

/// What a decoder's step is told of its position: the same for all rows and layers.
struct StepPosition {
  std::vector<float> added;  // [H], to embeddings; empty: nothing is
  Turn turn;
  std::vector<float> bias;  // [heads, t + 1], to the scores of keys; empty: none
};

/// What an encoder is told of the positions 0 to S - 1.
struct AllPositions {
  std::vector<float> added;  // [S, H], to embeddings; empty: nothing is
  std::vector<Turn> turns;   // [S]; empty: queries and keys are not turned
  std::vector<float> bias;   // [heads, line()], to the score of a key that is -(S - 1), … S - 1 behind its query
  int64_t count;             // S

  int64_t line() const { return 2 * count - 1; }
};

/// One kind of positions, or none: at most one of these is not empty.
struct Positions {
  std::vector<float> sinusoidal;  // [(H + 1) / 2] frequencies, sines before cosines (Vaswani et al. 2017)
  int64_t offset;                 // the first position's number in them
  std::vector<float> learned;     // [positions, H] (Gehring et al. 2017)
  std::vector<float> rotary;      // [D / 2] frequencies (Su et al. 2021)
  std::vector<float> slopes;      // [heads], of a bias that falls with the distance (Press et al. 2022)
  /// Of the distances from a key to a query, the last for all beyond (Raffel et al. 2020). A decoder's are 0, 1, 2, …
  /// before the query, an encoder's -n, … n behind it: [distances, heads].
  std::vector<float> biases;

  /// Throws a SearchError where `position` has no learned embedding.
  StepPosition at(int64_t position, int64_t size, int64_t heads) const;

  /// Throws a SearchError where there are fewer than `count` learned embeddings.
  AllPositions all(int64_t count, int64_t size, int64_t heads) const;

 private:
  void check_learned(int64_t length, int64_t size) const;
  void add(int64_t position, int64_t size, std::vector<float>& to) const;
  Turn turn(int64_t position) const;
};

}  // namespace seq2seq_kit::transformer
