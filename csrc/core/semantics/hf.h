#pragma once

#include "core/semantics/ranked.h"

namespace seq2seq_kit {

/// `semantics="hf"`: enough candidates for K to go on although every EOS is found; those among the first K that end are
/// finished, of which the best K stay; the search ends when none that goes on may still be better, by an estimate. The
/// forced prefix is a prompt: it is not scored.
class HfBeam : public RankedBeam {
 public:
  HfBeam(const SearchOptions& options, const SentenceInput& sentence);

  void step(SentenceScores& scores, int64_t first_row) override;

  int64_t wanted() const override;
  bool takes_only_best() const override { return prompt_ == 0; }
  void advance(std::span<const Candidate> candidates, int64_t first_row) override;
  Allowed allowed() const override { return allowed_by_length(false); }
  bool done() const override;
  bool in_prompt() const override { return length() < prompt_; }

 protected:
  int64_t prompt_;   // tokens of a forced prefix; a favoured one is none
  int64_t longest_;  // the tokens of a hypothesis at most, prefix and EOS counted
};

}  // namespace seq2seq_kit
