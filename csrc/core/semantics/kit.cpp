#include "core/semantics/kit.h"

#include <algorithm>
#include <cmath>

#include "core/ranking.h"

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
    : Beam(options, sentence), sums_only_fall_(!may_raise(options)) {}

Allowed KitBeam::allowed() const {
  if (options().eos_ids.empty()) return Allowed::all;
  if (length() >= limit()) return Allowed::only_eos;
  const auto prefix = static_cast<int64_t>(sentence().prefix.size());
  const int64_t least =
      std::max(options().min_length, options().min_new_tokens > 0 ? prefix + options().min_new_tokens : int64_t{0});
  return length() < least ? Allowed::all_but_eos : Allowed::all;
}

void KitBeam::advance(std::span<const Candidate> candidates, int64_t first_row) {
  begin(first_row);
  for (const Candidate& candidate : candidates) {
    const int64_t node = record(candidate);
    if (!ends(candidate.token)) {
      keep(candidate, node);
      continue;
    }
    const Finish why = options().is_eos(candidate.token) && length() < limit() ? Finish::eos : Finish::length;
    finish(node, candidate.score, length() + 1, why);
  }
  end();
}

void KitBeam::finish(int64_t node, float sum, int64_t length, Finish why) {
  const Finished finished{score(sum, length), sum, node, why};
  const auto worse = [](const Finished& a, const Finished& b) { return a.score > b.score; };
  finished_.insert(std::upper_bound(finished_.begin(), finished_.end(), finished, worse), finished);
}

void KitBeam::stop(std::span<const bool> ended) {
  for (size_t slot = 0; slot < ended.size(); ++slot) {
    if (ended[slot]) finish(slots()[slot].node, slots()[slot].sum, length(), Finish::stopped);
  }
  drop(ended);
}

bool KitBeam::done() const {
  if (slots().empty() || wanted() == 0) return true;
  const auto found = static_cast<int64_t>(finished_.size());
  switch (options().stop) {
    case Stop::first:
      return found > 0;
    case Stop::all:
      return false;
    case Stop::enough:
      return static_cast<double>(found) >= std::round(static_cast<double>(options().beam_size) * options().patience);
    default:
      break;
  }
  if (found < options().n_best || !sums_only_fall_) return false;
  // Log-probabilities only fall, so no continuation of the best live sum can score above the best possible one.
  const int64_t longest = options().eos_ids.empty() ? limit() : limit() + 1;
  return best_possible_score(options(), sentence(), slots().front().sum, length() + 1, longest) <=
         finished_[options().n_best - 1].score;
}

std::vector<Hypothesis> KitBeam::hypotheses() const {
  std::vector<Hypothesis> best;
  for (const Finished& finished : finished_) {
    if (static_cast<int64_t>(best.size()) == options().n_best) break;
    best.push_back(write_out(finished.node, finished.sum, finished.score, finished.finish));
  }
  return best;
}

bool KitBeam::ends(int64_t token) const {
  return options().eos_ids.empty() ? length() + 1 == limit() : options().is_eos(token);
}

}  // namespace seq2seq_kit
