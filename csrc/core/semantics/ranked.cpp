#include "core/semantics/ranked.h"

#include <algorithm>

namespace seq2seq_kit {

std::vector<Hypothesis> RankedBeam::hypotheses() const { return write_out_best(finished_); }

std::vector<Hypothesis> RankedBeam::write_out_best(const std::vector<Finished>& best_first) const {
  std::vector<Hypothesis> best;
  for (const Finished& finished : best_first) {
    if (static_cast<int64_t>(best.size()) == options().n_best) break;
    best.push_back(write_out(finished.node, finished.sum, finished.score, finished.finish));
  }
  return best;
}

void RankedBeam::finish(const Candidate& candidate, double score, Finish why) {
  rank({score + coverage_penalty(candidate), candidate.score, record(candidate), why});
}

void RankedBeam::rank(const Finished& finished, std::vector<Finished>& best_first) {
  const auto better = [](const Finished& a, const Finished& b) { return a.score > b.score; };
  best_first.insert(std::upper_bound(best_first.begin(), best_first.end(), finished, better), finished);
}

Allowed RankedBeam::allowed_by_length(bool eos_at_limit) const {
  if (options().eos_ids.empty()) return Allowed::all;
  if (eos_at_limit && length() >= limit()) return Allowed::only_eos;
  return length() < least_length(options(), sentence()) ? Allowed::all_but_eos : Allowed::all;
}

int64_t RankedBeam::given() const {
  if (options().prefix_bias == 0 && !sentence().prefix.empty()) return static_cast<int64_t>(sentence().prefix.size());
  return options().forced_first >= 0 ? 1 : 0;
}

}  // namespace seq2seq_kit
