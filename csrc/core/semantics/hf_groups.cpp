#include "core/semantics/hf_groups.h"

#include <algorithm>

#include "core/sentence_scores.h"

namespace seq2seq_kit {

HfGroupsBeam::HfGroupsBeam(const SearchOptions& options, const SentenceInput& sentence)
    : HfBeam(options, sentence), groups_(options.groups) {}

void HfGroupsBeam::step(SentenceScores& scores, int64_t first_row) {
  if (in_prompt()) return HfBeam::step(scores, first_row);
  const bool one_slot = length() == prompt_;
  std::map<int64_t, int64_t> chosen;  // token -> how many live hypotheses of earlier groups have just got it
  std::map<int64_t, float> penalties;
  int64_t first = 0;
  begin(first_row);
  for (Group& group : groups_) {
    const int64_t last = first + group.live;
    for (const auto& [token, times] : chosen) {
      penalties[token] = static_cast<float>(options().diversity_penalty * static_cast<double>(times));
    }
    if (!penalties.empty()) scores.reprocess(*this, penalties, first, last);
    if (!group.done) advance_group(group, scores.best(wanted(), first, last), chosen);
    if (!one_slot) first = last;
  }
  end();
  if (length() == longest_) finish_live();

  finished_.clear();
  for (const Group& group : groups_) {
    for (const Finished& finished : group.finished) rank(finished);
  }
}

void HfGroupsBeam::advance_group(Group& group, std::span<const Candidate> candidates,
                                 std::map<int64_t, int64_t>& chosen) {
  finished_.swap(group.finished);
  std::vector<Candidate> going_on;
  for (int64_t place = 0; place < static_cast<int64_t>(candidates.size()); ++place) {
    const Candidate& candidate = candidates[place];
    if (!options().is_eos(candidate.token)) {
      if (static_cast<int64_t>(going_on.size()) < size()) going_on.push_back(candidate);
    } else if (place < size()) {
      finish(candidate, score(candidate.score, length() + 1 - prompt_), Finish::eos);
    }
  }
  if (found() > size()) finished_.resize(size());
  for (const Candidate& candidate : going_on) ++chosen[candidate.token];

  group.done = going_on.empty();
  if (found() == size()) {
    const bool longer_is_better = options().stop == Stop::longest && options().length_penalty > 0;
    const int64_t expected = (longer_is_better ? longest_ : length() + 1) - prompt_;
    group.done |= options().stop == Stop::enough || candidates.empty() ||
                  finished_.back().score >= score(candidates.front().score, expected);
  }
  if (group.done) going_on.clear();
  for (const Candidate& candidate : going_on) keep(candidate, record(candidate));
  group.live = static_cast<int64_t>(going_on.size());
  finished_.swap(group.finished);
}

void HfGroupsBeam::finish_live() {
  auto slot = slots().begin();
  for (Group& group : groups_) {
    finished_.swap(group.finished);
    for (int64_t left = group.live; left > 0; --left, ++slot) {
      rank({score(slot->sum, length() - prompt_), slot->sum, slot->node, Finish::length});
    }
    if (found() > size()) finished_.resize(size());
    finished_.swap(group.finished);
  }
}

}  // namespace seq2seq_kit
