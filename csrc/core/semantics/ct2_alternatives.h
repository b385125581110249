#pragma once

#include <optional>

#include "core/semantics/ranked.h"

namespace seq2seq_kit {

/// `alternatives` of `semantics="ct2"`: the best tokens after the prefix, none of them EOS, each continued greedily, in
/// the order of these tokens. A score is the log-probability of that token plus the score of what comes after it. As in
/// CTranslate2, processors and coverage see only what comes after the prefix, and then what comes after that token.
class Ct2Alternatives : public RankedBeam {
 public:
  Ct2Alternatives(const SearchOptions& options, const SentenceInput& sentence);

  void step(SentenceScores& scores, int64_t first_row) override;

  int64_t wanted() const override { return options().n_best; }
  bool takes_only_best() const override { return false; }
  bool in_prompt() const override { return length() < prompt_; }

  /// Takes the first tokens, and then one candidate for each alternative that goes on.
  void advance(std::span<const Candidate> candidates, int64_t first_row) override;

  Allowed allowed() const override;
  bool done() const override { return slots().empty() || length() == limit(); }
  HypothesisView processors_view(int64_t slot) const override;
  std::vector<Hypothesis> hypotheses() const override { return write_out_all(alternatives_); }
  std::vector<Hypothesis> best_so_far(Finish cut) const override;

 private:
  struct Alternative {
    float log_prob;  // of its first token
    std::optional<Finished> finished;
  };

  void give(int64_t first_row);
  void open(std::span<const Candidate> candidates);
  void go_on(std::span<const Candidate> candidates);

  /// Those that have ended, in order.
  std::vector<Hypothesis> write_out_all(const std::vector<Alternative>& alternatives) const;

  int64_t prompt_;  // tokens of the prefix, which are given
  SentenceInput unprompted_;
  std::vector<Alternative> alternatives_;  // best first
  std::vector<size_t> running_;            // [live slots] which alternative it is
};

}  // namespace seq2seq_kit
