#include "core/semantics/fairseq.h"

#include <algorithm>
#include <tuple>

#include "core/sentence_scores.h"

namespace seq2seq_kit {

void FairseqBeam::step(SentenceScores& scores, int64_t first_row) {
  if (takes_only_best() || length() == 0) return Beam::step(scores, first_row);
  const auto rate = static_cast<float>(options().sibling_penalty);
  std::vector<Candidate> penalised;
  for (int64_t slot = 0; slot < scores.slots(); ++slot) {
    float rank = 0;
    for (Candidate candidate : scores.best(wanted(), slot, slot + 1)) {
      rank += 1;
      candidate.log_prob -= rank * rate;
      candidate.score = slots()[slot].sum + candidate.log_prob;
      penalised.push_back(candidate);
    }
  }
  const auto order = [](const Candidate& c) { return std::tuple(-c.score, c.slot, c.token); };
  std::sort(penalised.begin(), penalised.end(), [&](const auto& a, const auto& b) { return order(a) < order(b); });
  const size_t taken = std::min(penalised.size(), static_cast<size_t>(wanted()));
  advance(std::span(penalised).first(taken), first_row);
}

void FairseqBeam::advance(std::span<const Candidate> candidates, int64_t first_row) {
  const auto width = static_cast<size_t>(options().beam_size);
  const bool endless = options().eos_ids.empty();
  const Finish why = endless || length() >= limit() ? Finish::length : Finish::eos;
  size_t kept = 0;
  begin(first_row);
  for (size_t rank = 0; rank < candidates.size(); ++rank) {
    const Candidate& candidate = candidates[rank];
    if (endless ? length() + 1 == limit() : options().is_eos(candidate.token)) {
      if (rank < width && found() < options().beam_size) finish(candidate, score(candidate.score, length() + 1), why);
    } else if (kept < width) {
      keep(candidate, record(candidate));
      ++kept;
    }
  }
  end();
}

}  // namespace seq2seq_kit
