#pragma once

#include "core/semantics/ranked.h"

namespace seq2seq_kit {

/// `semantics="ct2"`: 2K candidates, of probabilities that options have renormalised; those among the first K that end
/// are finished, and one of the second K that goes on takes their place; the search ends when enough have finished, or
/// at the length limit, which counts EOS. A forced prefix is not scored.
class Ct2Beam : public RankedBeam {
 public:
  Ct2Beam(const SearchOptions& options, const SentenceInput& sentence);

  void step(SentenceScores& scores, int64_t first_row) override;

  int64_t wanted() const override { return 2 * options().beam_size; }
  bool takes_only_best() const override { return sentence().prefix.empty(); }
  void advance(std::span<const Candidate> candidates, int64_t first_row) override;
  Allowed allowed() const override { return allowed_by_length(false); }
  bool done() const override;
  bool in_prompt() const override { return length() < forced_; }

 private:
  /// The favoured prefix's next token becomes likelier for the hypotheses that follow it.
  void favour(SentenceScores& scores) const;

  int64_t forced_, favoured_;    // tokens of the prefix, which is one of the two
  int64_t enough_;               // finished hypotheses
  int64_t impossible_ends_ = 0;  // counted with these, but never returned
  bool best_has_ended_ = false;
  std::vector<bool> follows_;  // the favoured prefix; [K] places
};

}  // namespace seq2seq_kit
