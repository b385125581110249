#pragma once

#include <map>
#include <vector>

#include "core/semantics/kit.h"

namespace seq2seq_kit {

/// Diverse beam search (Vijayakumar et al. 2018) by kit rules: G groups of K / G slots, which take their candidates one
/// group after the other. A token loses `diversity_penalty` for each time an earlier group chose it at this step; the
/// penalty steers selection alone and is no part of any score. A finished hypothesis keeps a slot of its group.
class GroupsBeam : public KitBeam {
 public:
  GroupsBeam(const SearchOptions& options, const SentenceInput& sentence);

  void step(SentenceScores& scores, int64_t first_row) override;
  bool takes_only_best() const override { return false; }
  void stop(std::span<const bool> ended) override;

 private:
  using Chosen = std::map<int64_t, int64_t>;  // token -> times that earlier groups chose it at this step

  /// The best `wanted` candidates of slots [first, last) with the penalty, which is then taken back.
  std::vector<Candidate> choose(SentenceScores& scores, int64_t wanted, int64_t first, int64_t last,
                                const Chosen& chosen) const;

  std::vector<int64_t> live_;         // [G] slots, side by side; at first all groups share one
  std::vector<int64_t> finished_in_;  // [G]
};

}  // namespace seq2seq_kit
