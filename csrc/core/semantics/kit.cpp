#include "core/semantics/kit.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/ranking.h"
#include "core/sentence_scores.h"

namespace seq2seq_kit {
namespace {

/// Whether some option may give a token a score above 0. (Repetition penalties keep the sign, and a favoured prefix
/// keeps to probabilities.)
bool may_raise(const SearchOptions& options) {
  const auto raises = [](const auto& entry) { return entry.second > 0; };
  return std::any_of(options.sequence_bias.begin(), options.sequence_bias.end(), raises) ||
         options.length_decay_factor > 1;
}

}  // namespace

KitBeam::KitBeam(const SearchOptions& options, const SentenceInput& sentence)
    : RankedBeam(options, sentence), sums_only_fall_(!may_raise(options)) {}

void KitBeam::step(SentenceScores& scores, int64_t first_row) {
  if (options().sibling_penalty == 0) return Beam::step(scores, first_row);
  const auto weight = static_cast<float>(options().sibling_penalty);
  std::vector<std::pair<float, Candidate>> ranked;  // (what it is chosen by, candidate)
  for (int64_t slot = 0; slot < scores.slots(); ++slot) {
    float rank = 0;
    for (const Candidate& candidate : scores.best(wanted(), slot, slot + 1)) {
      ranked.emplace_back(candidate.score - weight * ++rank, candidate);
    }
  }
  // They come by slot, then by rank: a stable sort leaves ties to the lower slot, then to the better sibling.
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<Candidate> chosen;
  for (const auto& [by, candidate] : ranked) {
    if (static_cast<int64_t>(chosen.size()) < wanted()) chosen.push_back(candidate);
  }
  advance(chosen, first_row);
}

void KitBeam::advance(std::span<const Candidate> candidates, int64_t first_row) {
  begin(first_row);
  for (const Candidate& candidate : candidates) take(candidate);
  end();
}

bool KitBeam::take(const Candidate& candidate) {
  if (!ends(candidate.token)) {
    keep(candidate, record(candidate));
    return false;
  }
  const Finish why = options().is_eos(candidate.token) && length() < limit() ? Finish::eos : Finish::length;
  finish(candidate, score(candidate.score, length() + 1), why);
  return true;
}

void KitBeam::stop(std::span<const bool> ended) {
  for (size_t slot = 0; slot < ended.size(); ++slot) {
    if (!ended[slot]) continue;
    const Slot& live = slots()[slot];
    rank({score_so_far(static_cast<int64_t>(slot)), live.sum, live.node, Finish::stopped});
  }
  drop(ended);
}

bool KitBeam::done() const {
  if (slots().empty() || wanted() == 0) return true;
  switch (options().stop) {
    case Stop::first:
      return found() > 0;
    case Stop::all:
      return false;
    case Stop::enough:
      return static_cast<double>(found()) >= std::round(static_cast<double>(options().beam_size) * options().patience);
    default:
      break;
  }
  if (found() < options().n_best || !sums_only_fall_) return false;
  // Log-probabilities only fall, so no continuation of the best live sum can score above the best possible one.
  const int64_t longest = options().eos_ids.empty() ? limit() : limit() + 1;
  const auto lower = [](const Slot& a, const Slot& b) { return a.sum < b.sum; };
  const float best_sum = std::max_element(slots().begin(), slots().end(), lower)->sum;
  return best_possible_score(options(), sentence(), best_sum, length() + 1, longest) <=
         finished_[options().n_best - 1].score;
}

bool KitBeam::ends(int64_t token) const {
  return options().eos_ids.empty() ? length() + 1 == limit() : options().is_eos(token);
}

}  // namespace seq2seq_kit
