#pragma once

#include "core/semantics/ranked.h"

namespace seq2seq_kit {

/// `semantics="opennmt"`: K candidates at every step, all that end are finished; the search ends at a step whose best
/// candidate ends, once `n_best` have finished. Lengths count BOS; the length limit counts EOS.
class OpenNmtBeam : public RankedBeam {
 public:
  using RankedBeam::RankedBeam;

  int64_t wanted() const override { return options().beam_size; }
  void advance(std::span<const Candidate> candidates, int64_t first_row) override;
  Allowed allowed() const override { return allowed_by_length(false); }
  bool done() const override { return slots().empty() || (best_ends_ && found() >= options().n_best); }

 private:
  double score(float sum, int64_t length) const override { return Beam::score(sum, length + 1); }

  bool best_ends_ = false;
};

}  // namespace seq2seq_kit
