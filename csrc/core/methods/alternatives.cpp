#include "core/methods/alternatives.h"

#include <algorithm>

#include "core/sentence_scores.h"

namespace seq2seq_kit {

void AlternativesBeam::step(SentenceScores& scores, int64_t first_row) {
  const auto prefix = static_cast<int64_t>(sentence().prefix.size());
  const int64_t wanted = length() == prefix ? options().beam_size : 1;
  begin(first_row);
  for (int64_t slot = 0; slot < scores.slots(); ++slot) {
    for (const Candidate& candidate : scores.best(wanted, slot, slot + 1)) {
      if (length() == prefix) alternatives_.push_back(candidate.token);
      take(candidate);
    }
  }
  end();
}

std::vector<Hypothesis> AlternativesBeam::hypotheses() const {
  std::vector<Hypothesis> all;
  for (const Finished& f : finished_) all.push_back(write_out(f.node, f.sum, f.score, f.finish));
  const size_t place = sentence().prefix.size();
  const auto order = [&](const Hypothesis& hypothesis) {
    const int64_t token = place < hypothesis.tokens.size() ? hypothesis.tokens[place] : -1;
    return std::find(alternatives_.begin(), alternatives_.end(), token);
  };
  std::sort(all.begin(), all.end(), [&](const auto& a, const auto& b) { return order(a) < order(b); });
  if (static_cast<int64_t>(all.size()) > options().n_best) all.resize(options().n_best);
  return all;
}

}  // namespace seq2seq_kit
