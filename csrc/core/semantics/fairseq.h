#pragma once

#include "core/semantics/ranked.h"

namespace seq2seq_kit {

/// `semantics="fairseq"`: 2K candidates; those among the first K that end are finished, the first K that go on are the
/// next slots; the search ends when K have finished.
class FairseqBeam : public RankedBeam {
 public:
  using RankedBeam::RankedBeam;

  /// With a `sibling_penalty`, candidates first lose it times their rank among those of the same parent.
  void step(SentenceScores& scores, int64_t first_row) override;

  int64_t wanted() const override { return 2 * options().beam_size; }
  bool takes_only_best() const override { return options().sibling_penalty == 0; }
  void advance(std::span<const Candidate> candidates, int64_t first_row) override;
  Allowed allowed() const override { return allowed_by_length(true); }
  bool done() const override { return slots().empty() || found() == options().beam_size; }
};

}  // namespace seq2seq_kit
