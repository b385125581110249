#pragma once

#include "core/semantics/ranked.h"

namespace seq2seq_kit {

/// `semantics="sockeye"`: live and finished hypotheses share K places, the finished with their final scores, the live
/// with their sums; the search ends when all places are finished, or with `stop="first"` when one is.
class SockeyeBeam : public RankedBeam {
 public:
  using RankedBeam::RankedBeam;

  int64_t wanted() const override { return options().beam_size; }
  void advance(std::span<const Candidate> candidates, int64_t first_row) override;
  Allowed allowed() const override { return allowed_by_length(true); }
  bool done() const override { return slots().empty() || (options().stop == Stop::first && found() > 0); }
};

}  // namespace seq2seq_kit
