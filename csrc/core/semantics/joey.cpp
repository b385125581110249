#include "core/semantics/joey.h"

#include <algorithm>

namespace seq2seq_kit {

JoeyBeam::JoeyBeam(const SearchOptions& options, const SentenceInput& sentence)
    : RankedBeam(options, sentence), done_(options.beam_size, false) {}

void JoeyBeam::advance(std::span<const Candidate> candidates, int64_t first_row) {
  const bool at_limit = length() + 1 == limit();
  bool more_to_come = false;
  begin(first_row);
  for (size_t place = 0; place < candidates.size(); ++place) {
    const Candidate& candidate = candidates[place];
    const bool eos = options().is_eos(candidate.token);
    const bool ended = is_over(candidate.slot);
    if (eos || at_limit) {
      done_[place] = true;
      const Finish why = eos ? Finish::eos : Finish::length;
      if (!ended) finish(candidate, score(candidate.score, length() + 1), why);
    }
    more_to_come = more_to_come || !(eos || at_limit || ended);
    keep(candidate, record(candidate));
  }
  end();
  // Nothing can stand in the places left over, unless that is because a token was forced.
  const auto stood = static_cast<int64_t>(candidates.size());
  if (length() > given()) std::fill(done_.begin() + stood, done_.end(), true);
  if (!more_to_come) std::fill(done_.begin(), done_.end(), true);
}

bool JoeyBeam::done() const { return std::find(done_.begin(), done_.end(), false) == done_.end(); }

bool JoeyBeam::is_over(int64_t slot) const {
  const auto tokens = view(slot).generated();
  return std::any_of(tokens.begin(), tokens.end(), [&](int64_t token) { return options().is_eos(token); });
}

}  // namespace seq2seq_kit
