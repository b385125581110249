#pragma once

#include "core/semantics/ranked.h"

namespace seq2seq_kit {

/// `semantics="joey"`: K candidates at every step, which all go on, also after EOS; a hypothesis is finished with its
/// first EOS. The search ends when in each of the K places a candidate that ends has stood, or at the length limit,
/// which counts EOS.
class JoeyBeam : public RankedBeam {
 public:
  JoeyBeam(const SearchOptions& options, const SentenceInput& sentence);

  int64_t wanted() const override { return options().beam_size; }
  void advance(std::span<const Candidate> candidates, int64_t first_row) override;
  Allowed allowed() const override { return allowed_by_length(false); }
  bool done() const override;

 private:
  bool is_over(int64_t slot) const override;

  std::vector<bool> done_;  // [K] places
};

}  // namespace seq2seq_kit
