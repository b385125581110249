// The best continuations of one sentence, from scores in CPU memory. Torch-free.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/candidate.h"

namespace seq2seq_kit {

/// One sentence's part of a step.
struct SelectionTask {
  const float* scores;  // [live slots, vocab]: logits, or log-probabilities
  int64_t vocab;
  std::span<const float> sums;  // [live slots]
  int64_t wanted;               // how many candidates to return at most
  Allowed allowed;
  std::span<const int64_t> eos;  // ascending
  bool normalise;                // scores are logits: take their log-softmax
};

/// Finds the best candidates in one or two passes over each row, never sorting it. Keeps its buffers between calls.
class Selector {
 public:
  /// The best candidates, best first, valid until the next call. Scores of -inf are never taken. Masked tokens keep
  /// their share of the probability. Returns false where a score is NaN or +inf.
  bool select(const SelectionTask& task);

  std::span<const Candidate> best() const { return best_; }

 private:
  void offer(const Candidate& candidate, int64_t wanted);
  float least(int64_t wanted) const;

  std::vector<Candidate> best_;
  std::vector<float> maxima_;
};

}  // namespace seq2seq_kit
