#pragma once

#include "core/beam.h"

namespace seq2seq_kit {

/// `semantics="kit"`: K slots; a hypothesis that finishes keeps its slot; the search ends when nothing better can come.
class KitBeam : public Beam {
 public:
  KitBeam(const SearchOptions& options, const SentenceInput& sentence);

  /// The slots that no finished hypothesis has taken.
  int64_t wanted() const override { return options().beam_size - static_cast<int64_t>(finished_.size()); }

  void advance(std::span<const Candidate> candidates, int64_t first_row) override;

  /// EOS is barred before `min_length` (and `min_new_tokens` after the prefix); at the limit, which wins, all else is.
  Allowed allowed() const override;

  bool done() const override;

  void stop(std::span<const bool> ended) override;

  /// Best first; among equals, the one that finished first.
  std::vector<Hypothesis> hypotheses() const override;

 private:
  struct Finished {
    double score;
    float sum;
    int64_t node;
    Finish finish;
  };

  bool ends(int64_t token) const;
  void finish(int64_t node, float sum, int64_t length, Finish why);

  std::vector<Finished> finished_;  // best first
  bool sums_only_fall_;             // no option raises a log-probability, so that the exact stop rule holds
};

}  // namespace seq2seq_kit
