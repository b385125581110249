#pragma once

#include "core/beam.h"

namespace seq2seq_kit {

/// What several semantics share: finished hypotheses, kept best first, of which the first `n_best` are returned.
class RankedBeam : public Beam {
 public:
  using Beam::Beam;

  /// Best first; among equals, the one that finished first.
  std::vector<Hypothesis> hypotheses() const override;

 protected:
  struct Finished {
    double score;
    float sum;
    int64_t node;
    Finish finish;
  };

  /// Between `begin` and `end`: the candidate ends its hypothesis, with this score and the coverage penalty.
  virtual void finish(const Candidate& candidate, double score, Finish why);

  /// Puts a finished hypothesis in its place.
  void rank(const Finished& finished) { rank(finished, finished_); }
  static void rank(const Finished& finished, std::vector<Finished>& best_first);

  /// The first `n_best` of them.
  std::vector<Hypothesis> write_out_best(const std::vector<Finished>& best_first) const;

  int64_t found() const { return static_cast<int64_t>(finished_.size()); }

  /// EOS is barred before `min_length` (and `min_new_tokens` after the prefix); at the limit, where `eos_at_limit`, all
  /// else is, which wins.
  Allowed allowed_by_length(bool eos_at_limit) const;

  /// How many tokens at the start are forced, so that there is one candidate.
  int64_t given() const;

  std::vector<Finished> finished_;  // best first
};

}  // namespace seq2seq_kit
