#include "core/semantics/hf.h"

#include <algorithm>

namespace seq2seq_kit {

HfBeam::HfBeam(const SearchOptions& options, const SentenceInput& sentence)
    : RankedBeam(options, sentence),
      prompt_(options.prefix_bias > 0 ? 0 : static_cast<int64_t>(sentence.prefix.size())),
      longest_(std::max(limit(), prompt_ + 1)) {}

void HfBeam::step(SentenceScores& scores, int64_t first_row) {
  if (!in_prompt()) return Beam::step(scores, first_row);
  const Candidate given{0.0f, 0.0f, 0, sentence().prefix[length()]};
  begin(first_row);
  keep(given, record(given));
  end();
}

int64_t HfBeam::wanted() const {
  if (options().beam_size == 1) return 1;
  return std::max<int64_t>(2, 1 + static_cast<int64_t>(options().eos_ids.size())) * options().beam_size;
}

void HfBeam::advance(std::span<const Candidate> candidates, int64_t first_row) {
  const auto width = static_cast<size_t>(options().beam_size);
  std::vector<Candidate> going_on;
  begin(first_row);
  for (size_t rank = 0; rank < candidates.size(); ++rank) {
    const Candidate& candidate = candidates[rank];
    const bool eos = options().is_eos(candidate.token);
    if (eos || length() + 1 == longest_) {
      const Finish why = eos ? Finish::eos : Finish::length;
      if (rank < width) finish(candidate, score(candidate.score, length() + 1 - prompt_), why);
    } else {
      going_on.push_back(candidate);
    }
  }
  // Drawn candidates come in the order in which they were drawn.
  const auto likelier = [](const Candidate& a, const Candidate& b) { return a.score > b.score; };
  std::stable_sort(going_on.begin(), going_on.end(), likelier);
  for (size_t i = 0; i < std::min(going_on.size(), width); ++i) keep(going_on[i], record(going_on[i]));
  end();
  if (finished_.size() > width) finished_.resize(width);
}

bool HfBeam::done() const {
  if (slots().empty()) return true;
  if (found() < options().beam_size) return false;
  if (options().stop == Stop::enough) return true;
  const bool longer_is_better = options().stop == Stop::longest && options().length_penalty > 0;
  const int64_t expected = (longer_is_better ? longest_ : length()) - prompt_;
  return score(slots().front().sum, expected) <= finished_.back().score;
}

}  // namespace seq2seq_kit
