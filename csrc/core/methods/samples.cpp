#include "core/methods/samples.h"

#include <algorithm>
#include <numeric>

#include "core/sampling/lots.h"
#include "core/sampling/philox.h"
#include "core/sentence_scores.h"

namespace seq2seq_kit {

SampleBeam::SampleBeam(const SearchOptions& options, const SentenceInput& sentence)
    : RankedBeam(options, sentence),
      is_hf_(options.semantics == Semantics::hf),
      prompt_(is_hf_ && options.prefix_bias == 0 ? static_cast<int64_t>(sentence.prefix.size()) : 0),
      longest_(is_hf_                    ? std::max(limit(), prompt_ + 1)
               : options.eos_ids.empty() ? limit()
                                         : limit() + 1),
      running_(options.beam_size) {
  std::iota(running_.begin(), running_.end(), 0);
}

void SampleBeam::step(SentenceScores& scores, int64_t first_row) {
  std::vector<Candidate> drawn;
  for (int64_t slot = 0, i = 0; slot < scores.slots() && !in_prompt(); ++slot) {
    const Lots lots = Lots::of_slot(scores, slot, options());
    for (; i < wanted() && slot_of(i) == slot; ++i) {
      const DrawId id{static_cast<uint64_t>(sentence().key), running_[i], length(), 0};
      drawn.push_back(lots.draw(random_bits(static_cast<uint64_t>(options().seed), id)));
    }
  }
  advance(drawn, first_row);
}

void SampleBeam::advance(std::span<const Candidate> candidates, int64_t first_row) {
  begin(first_row);
  if (in_prompt()) {
    const Candidate given{0.0f, 0.0f, 0, sentence().prefix[length()]};
    keep(given, record(given));
    return end();
  }
  std::vector<int64_t> running;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    const bool eos = options().is_eos(candidate.token), longest = length() + 1 == longest_;
    if (candidate.score == kImpossible) continue;
    if (eos || longest) {
      const bool at_limit = longest && (!eos || !is_hf_);  // kit's EOS at the limit was the only token allowed
      finish(candidate, score(candidate.score, length() + 1 - prompt_), at_limit ? Finish::length : Finish::eos);
    } else {
      keep(candidate, record(candidate));
      running.push_back(running_[i]);
    }
  }
  running_ = std::move(running);
  end();
}

void SampleBeam::stop(std::span<const bool> ended) {
  std::vector<int64_t> running;
  for (size_t i = 0; i < running_.size(); ++i) {
    const int64_t slot = slot_of(i);
    if (!ended[slot]) {
      running.push_back(running_[i]);
      continue;
    }
    rank({score_so_far(slot), slots()[slot].sum, slots()[slot].node, Finish::stopped});
  }
  running_ = std::move(running);
  drop(ended);
}

}  // namespace seq2seq_kit
