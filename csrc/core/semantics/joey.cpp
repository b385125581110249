#include "core/semantics/joey.h"

#include <algorithm>

namespace seq2seq_kit {

JoeyBeam::JoeyBeam(const SearchOptions& options, const SentenceInput& sentence)
    : RankedBeam(options, sentence), done_(options.beam_size, false) {}

void JoeyBeam::advance(std::span<const Candidate> candidates, int64_t first_row) {
  const bool at_limit = length() + 1 == limit();
  begin(first_row);
  for (size_t place = 0; place < done_.size(); ++place) {
    if (place >= candidates.size()) {
      done_[place] = true;
      continue;
    }
    const Candidate& candidate = candidates[place];
    const bool eos = options().is_eos(candidate.token);
    if (eos || at_limit) {
      done_[place] = true;
      const Finish why = eos ? Finish::eos : Finish::length;
      if (!has_ended(candidate.slot)) finish(candidate, score(candidate.score, length() + 1), why);
    }
    keep(candidate, record(candidate));
  }
  end();
}

bool JoeyBeam::done() const { return std::find(done_.begin(), done_.end(), false) == done_.end(); }

bool JoeyBeam::has_ended(int64_t slot) const {
  const auto tokens = view(slot).generated();
  return std::any_of(tokens.begin(), tokens.end(), [&](int64_t token) { return options().is_eos(token); });
}

}  // namespace seq2seq_kit
