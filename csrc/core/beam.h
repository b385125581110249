// The hypotheses of one sentence: what is alive, what has finished, when to stop, what to return. Torch-free.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/candidate.h"
#include "seq2seq_kit/hypothesis.h"
#include "seq2seq_kit/search_options.h"

namespace seq2seq_kit {

/// One sentence's search under `semantics="kit"`. Hypotheses are kept as backpointers and written out once, at the end.
class Beam {
 public:
  /// `options` must outlive the beam; `limit` is `options.limit(source_length)`.
  Beam(const SearchOptions& options, int64_t limit);

  /// How many candidates the next step takes at most: the slots that no finished hypothesis has taken.
  int64_t wanted() const { return options_->beam_size - static_cast<int64_t>(finished_.size()); }

  /// Which tokens the next step may take.
  Allowed allowed() const;

  /// The live slots: their sums of log-probabilities, last tokens, and (after an `advance`) the slots they continue.
  std::span<const float> sums() const { return sums_; }
  std::span<const int64_t> tokens() const { return tokens_; }
  std::span<const int64_t> parents() const { return parents_; }

  /// Takes a step's best candidates, best first, at most `wanted()` of them. `first_row` is the row of this sentence's
  /// slot 0 in the step's output.
  void advance(std::span<const Candidate> candidates, int64_t first_row);

  /// True when no slot is left, or when no live hypothesis can still enter the `n_best` best.
  bool done() const;

  /// The `n_best` best finished hypotheses, best first; among equals, the one that finished first.
  std::vector<Hypothesis> hypotheses() const;

 private:
  struct Node {  // one token of a hypothesis, pointing back
    int64_t token;
    int64_t row;
    int64_t previous;  // kStart at the first token
    float log_prob;
  };
  struct Finished {
    double score;
    float sum;
    int64_t last;
  };
  static constexpr int64_t kStart = -1;

  double score(float sum, int64_t length) const;
  bool ends(int64_t token) const;
  Hypothesis materialise(const Finished& finished) const;

  const SearchOptions* options_;
  int64_t limit_;
  int64_t length_ = 0;  // tokens generated so far by every live hypothesis

  std::vector<Node> nodes_;
  std::vector<Finished> finished_;  // best first

  // The live slots, best first.
  std::vector<float> sums_;
  std::vector<int64_t> tokens_;
  std::vector<int64_t> parents_;
  std::vector<int64_t> last_;  // their last nodes
};

}  // namespace seq2seq_kit
