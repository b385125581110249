#pragma once

#include "core/semantics/ranked.h"

namespace seq2seq_kit {

/// `semantics="kit"`: K slots; a hypothesis that finishes keeps its slot; the search ends when nothing better can come.
class KitBeam : public RankedBeam {
 public:
  KitBeam(const SearchOptions& options, const SentenceInput& sentence);

  /// The slots that no finished hypothesis has taken.
  int64_t wanted() const override { return options().beam_size - found(); }

  /// With a `sibling_penalty`, candidates are chosen by their sums less it times their rank among those of the same
  /// parent; it is no part of any score.
  void step(SentenceScores& scores, int64_t first_row) override;
  bool takes_only_best() const override { return options().sibling_penalty == 0; }

  void advance(std::span<const Candidate> candidates, int64_t first_row) override;

  Allowed allowed() const override { return allowed_by_length(true); }

  bool done() const override;

  void stop(std::span<const bool> ended) override;
  void expect_rising_sums() override { sums_only_fall_ = false; }

 protected:
  /// Between `begin` and `end`: takes a candidate. Returns true where that finishes its hypothesis.
  bool take(const Candidate& candidate);

 private:
  bool ends(int64_t token) const;

  bool sums_only_fall_;  // no option raises a log-probability, so that the exact stop rule holds
};

}  // namespace seq2seq_kit
