#include "core/semantics/sockeye.h"

#include <utility>

namespace seq2seq_kit {

void SockeyeBeam::advance(std::span<const Candidate> candidates, int64_t first_row) {
  const bool endless = options().eos_ids.empty();
  const Finish why = endless || length() >= limit() ? Finish::length : Finish::eos;
  const std::vector<Finished> before = std::exchange(finished_, {});
  std::vector<const Candidate*> ended;
  auto finished = before.begin();
  auto candidate = candidates.begin();
  begin(first_row);
  for (int64_t place = 0; place < options().beam_size; ++place) {
    // Both are sorted. Among equals, the finished come first.
    if (finished != before.end() &&
        (candidate == candidates.end() || finished->score >= static_cast<double>(candidate->score))) {
      finished_.push_back(*finished++);
      continue;
    }
    if (candidate == candidates.end()) break;
    if (endless ? length() + 1 == limit() : options().is_eos(candidate->token)) {
      ended.push_back(&*candidate);
    } else {
      keep(*candidate, record(*candidate));
    }
    ++candidate;
  }
  for (const Candidate* each : ended) finish(*each, score(each->score, length() + 1), why);
  end();
}

}  // namespace seq2seq_kit
