#include "core/semantics/opennmt.h"

namespace seq2seq_kit {

void OpenNmtBeam::advance(std::span<const Candidate> candidates, int64_t first_row) {
  const bool at_limit = length() + 1 == limit();
  begin(first_row);
  for (size_t place = 0; place < candidates.size(); ++place) {
    const Candidate& candidate = candidates[place];
    const bool eos = options().is_eos(candidate.token);
    if (eos || at_limit) {
      finish(candidate, score(candidate.score, length() + 1), eos ? Finish::eos : Finish::length);
      best_has_ended_ = best_has_ended_ || place == 0;
    } else {
      keep(candidate, record(candidate));
    }
  }
  end();
}

}  // namespace seq2seq_kit
