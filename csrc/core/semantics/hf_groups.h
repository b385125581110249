#pragma once

#include <map>
#include <vector>

#include "core/semantics/hf.h"

namespace seq2seq_kit {

/// Diverse beam search (Vijayakumar et al. 2018) under `semantics="hf"`: groups of slots, each with a search and a list
/// of finished hypotheses of its own. Before its processors, a group's tokens lose `diversity_penalty` for each live
/// hypothesis of an earlier group that has just got them.
class HfGroupsBeam : public HfBeam {
 public:
  HfGroupsBeam(const SearchOptions& options, const SentenceInput& sentence);

  void step(SentenceScores& scores, int64_t first_row) override;
  int64_t wanted() const override { return HfBeam::wanted() / options().groups; }  // of one group
  bool takes_only_best() const override { return false; }
  bool done() const override { return slots().empty() || length() == longest_; }

 private:
  struct Group {
    int64_t live = 1;  // slots, side by side; at first all groups share one
    std::vector<Finished> finished;
    bool done = false;
  };

  int64_t size() const { return options().beam_size / options().groups; }
  void advance_group(Group& group, std::span<const Candidate> candidates, std::map<int64_t, int64_t>& chosen);
  void finish_live();

  std::vector<Group> groups_;
};

}  // namespace seq2seq_kit
