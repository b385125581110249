#include "core/methods/groups.h"

#include <iterator>

#include "core/sentence_scores.h"

namespace seq2seq_kit {

GroupsBeam::GroupsBeam(const SearchOptions& options, const SentenceInput& sentence)
    : KitBeam(options, sentence), live_(options.groups, 1), finished_in_(options.groups, 0) {}

void GroupsBeam::step(SentenceScores& scores, int64_t first_row) {
  const int64_t width = options().beam_size / options().groups;
  const bool at_start = length() == 0;
  std::vector<int64_t> live(live_.size(), 0);
  Chosen chosen;
  int64_t first = 0;
  begin(first_row);
  for (size_t group = 0; group < live_.size(); ++group) {
    const int64_t last = first + live_[group];
    for (const Candidate& candidate : choose(scores, width - finished_in_[group], first, last, chosen)) {
      ++chosen[candidate.token];
      if (take(candidate)) {
        ++finished_in_[group];
      } else {
        ++live[group];
      }
    }
    if (!at_start) first = last;
  }
  end();
  live_ = std::move(live);
}

std::vector<Candidate> GroupsBeam::choose(SentenceScores& scores, int64_t wanted, int64_t first, int64_t last,
                                          const Chosen& chosen) const {
  const auto weight = static_cast<float>(options().diversity_penalty);
  std::vector<std::vector<float>> before;  // [slots][chosen tokens]
  for (int64_t slot = first; slot < last; ++slot) {
    ScoreRow row = scores.row(slot);
    before.emplace_back();
    for (const auto& [token, times] : chosen) {
      before.back().push_back(row.get(token));
      row.set(token, before.back().back() - weight * static_cast<float>(times));
    }
  }
  const auto best = scores.best(wanted, first, last);
  std::vector<Candidate> candidates(best.begin(), best.end());
  for (Candidate& candidate : candidates) {
    const auto penalised = chosen.find(candidate.token);
    if (penalised == chosen.end()) continue;
    candidate.log_prob = before[candidate.slot - first][std::distance(chosen.begin(), penalised)];
    candidate.score = slots()[candidate.slot].sum + candidate.log_prob;
  }
  for (int64_t slot = first; slot < last; ++slot) {
    ScoreRow row = scores.row(slot);
    size_t i = 0;
    for (const auto& [token, times] : chosen) row.set(token, before[slot - first][i++]);
  }
  return candidates;
}

void GroupsBeam::stop(std::span<const bool> ended) {
  size_t slot = 0;
  for (size_t group = 0; group < live_.size(); ++group) {
    for (int64_t left = live_[group]; left > 0; --left, ++slot) {
      live_[group] -= ended[slot];
      finished_in_[group] += ended[slot];
    }
  }
  KitBeam::stop(ended);
}

}  // namespace seq2seq_kit
