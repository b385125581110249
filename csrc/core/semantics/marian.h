#pragma once

#include "core/semantics/ranked.h"

namespace seq2seq_kit {

/// `semantics="marian"`: K slots, of which every hypothesis that finishes takes one away; the search ends when none is
/// left, or at the length limit, which counts EOS.
class MarianBeam : public RankedBeam {
 public:
  using RankedBeam::RankedBeam;

  int64_t wanted() const override {
    return length() <= given() ? options().beam_size : static_cast<int64_t>(slots().size());
  }
  void advance(std::span<const Candidate> candidates, int64_t first_row) override;
  Allowed allowed() const override { return allowed_by_length(false); }
  bool done() const override { return slots().empty(); }
};

}  // namespace seq2seq_kit
