#include "core/semantics/ct2.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "core/sentence_scores.h"
#include "seq2seq_kit/errors.h"

namespace seq2seq_kit {

Ct2Beam::Ct2Beam(const SearchOptions& options, const SentenceInput& sentence)
    : RankedBeam(options, sentence),
      forced_(options.prefix_bias > 0 ? 0 : static_cast<int64_t>(sentence.prefix.size())),
      favoured_(options.prefix_bias > 0 ? static_cast<int64_t>(sentence.prefix.size()) : 0),
      enough_(1),  // greedy search has no patience
      follows_(options.beam_size, true) {
  if (options.beam_size > 1 || favoured_ > 0) {
    enough_ = static_cast<int64_t>(std::floor(static_cast<double>(options.beam_size) * options.patience + 0.5));
  }
  if (options.n_best > enough_) {
    throw SearchError("search option n_best = " + std::to_string(options.n_best) +
                      ": semantics 'ct2' ends with beam_size * patience, that is " + std::to_string(enough_));
  }
}

void Ct2Beam::step(SentenceScores& scores, int64_t first_row) {
  if (in_prompt()) {
    const Candidate given{0.0f, 0.0f, 0, sentence().prefix[length()]};
    return advance({&given, 1}, first_row);
  }
  if (length() < favoured_) favour(scores);
  advance(scores.best(wanted()), first_row);
}

void Ct2Beam::favour(SentenceScores& scores) const {
  const double bias = options().prefix_bias;
  const auto others = static_cast<float>(std::log1p(-bias));
  const int64_t token = sentence().prefix[length()];
  for (int64_t slot = 0; slot < scores.slots(); ++slot) {
    if (!follows_[slot]) continue;
    ScoreRow row = scores.row(slot);
    const double probability = std::exp(static_cast<double>(row.get(token)));
    row.shift(others);
    row.set(token, static_cast<float>(std::log((1 - bias) * probability + bias)));
  }
}

void Ct2Beam::advance(std::span<const Candidate> candidates, int64_t first_row) {
  const auto width = static_cast<size_t>(options().beam_size);
  const bool last = length() + 1 == limit();
  std::vector<Candidate> ranked(candidates.begin(), candidates.end());
  // Where a prefix ends, only the best candidate may be EOS. The others become token 0, and impossible; so does
  // CTranslate2, and where token 0 is an end symbol, as Marian's is, they count among the finished.
  for (size_t rank = 1; rank < ranked.size() && forced_ > 0 && length() == forced_; ++rank) {
    if (!options().is_eos(ranked[rank].token)) continue;
    ranked[rank].token = 0;
    ranked[rank].score = kImpossible;
  }

  size_t spare = width;  // the next of the second K
  const auto next_spare = [&](const Candidate& ended) -> std::optional<Candidate> {
    while (spare < ranked.size() && options().is_eos(ranked[spare].token)) ++spare;
    if (spare == 2 * width) return ended;  // several end symbols can use them up: then an ended one goes on
    const size_t taken = spare++;
    return taken < ranked.size() ? std::optional(ranked[taken]) : std::nullopt;
  };

  // As in CTranslate2, whose places have this flag, not its hypotheses: reordering does not carry it along.
  std::vector<bool> follows;
  begin(first_row);
  for (size_t rank = 0; rank < std::min(width, ranked.size()); ++rank) {
    const Candidate& candidate = ranked[rank];
    const bool eos = options().is_eos(candidate.token);
    std::optional<Candidate> going_on = candidate;
    if (last || (eos && length() >= forced_)) {
      best_has_ended_ |= rank == 0;
      if (candidate.score > kImpossible) {
        finish(candidate, score(candidate.score, length() + 1), eos ? Finish::eos : Finish::length);
      } else {
        ++impossible_ends_;
      }
      going_on = next_spare(candidate);
    }
    if (!going_on || going_on->score == kImpossible) continue;
    keep(*going_on, record(*going_on));
    follows.push_back(follows_[rank] && length() < favoured_ && candidate.token == sentence().prefix[length()]);
  }
  end();
  follows.resize(width, false);
  follows_ = std::move(follows);
}

bool Ct2Beam::done() const {
  if (slots().empty() || length() == limit()) return true;
  const int64_t ended = found() + impossible_ends_;
  if (options().length_penalty == 0 && options().coverage_penalty == 0) {
    return best_has_ended_ && ended >= options().n_best;
  }
  return ended >= enough_;
}

}  // namespace seq2seq_kit
