#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "core/constraints/lexical.h"
#include "core/semantics/kit.h"

namespace seq2seq_kit {

/// Lexically constrained search by kit rules: dynamic beam allocation (Post and Vilar 2018), vectorised as in Hu et al.
/// 2019. A hypothesis may only end when it has met all constraints that can be met. Candidates are the best overall,
/// each slot's best, and the next token of each phrase that is asked for; they are put in banks by the tokens of
/// constraints that they have, and slots are given in rounds over the banks, from the fullest to the emptiest, the best
/// of each bank first; those that have no room left for the tokens that they lack come last. So the fullest bank always
/// has a slot, and gains a token at each step.
///
/// Endings that come too early are set aside: where none can meet everything, those that meet most are the results.
class ConstrainedBeam : public KitBeam {
 public:
  ConstrainedBeam(const SearchOptions& options, const SentenceInput& sentence);

  void step(SentenceScores& scores, int64_t first_row) override;
  bool takes_only_best() const override { return false; }
  void stop(std::span<const bool> ended) override;
  std::vector<Hypothesis> hypotheses() const override;

 protected:
  void finish(const Candidate& candidate, double score, Finish why) override;

 private:
  using Times = LexicalConstraints::Times;

  /// Ends, as far as that is possible, what may not end yet, to set it aside; then bars it.
  void end_too_early(SentenceScores& scores);
  void set_aside(int64_t unmet, const Finished& finished);

  std::vector<Candidate> choose(SentenceScores& scores) const;
  std::vector<Candidate> offer(SentenceScores& scores) const;
  int64_t bank(const Candidate& candidate) const;

  /// The end of a live hypothesis, as long as a phrase, and of what a candidate makes of it.
  Tokens end_of(int64_t slot) const;
  std::vector<int64_t> end_with(const Candidate& candidate) const;
  Times times_with(const Candidate& candidate) const;

  LexicalConstraints constraints_;
  std::vector<Times> times_, next_times_;  // [live slots]
  int64_t fewest_unmet_ = std::numeric_limits<int64_t>::max();
  std::vector<Finished> aside_;  // what ended with the fewest unmet, best first
};

}  // namespace seq2seq_kit
