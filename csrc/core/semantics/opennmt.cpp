#include "core/semantics/opennmt.h"

namespace seq2seq_kit {

void OpenNmtBeam::advance(std::span<const Candidate> candidates, int64_t first_row) {
  const bool at_limit = length() + 1 == limit();
  best_ends_ = !candidates.empty() && options().is_eos(candidates.front().token);
  begin(first_row);
  for (const Candidate& candidate : candidates) {
    const bool eos = options().is_eos(candidate.token);
    if (eos || at_limit) {
      finish(candidate, score(candidate.score, length() + 1), eos ? Finish::eos : Finish::length);
    } else {
      keep(candidate, record(candidate));
    }
  }
  end();
}

}  // namespace seq2seq_kit
