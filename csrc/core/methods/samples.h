#pragma once

#include <cstdint>
#include <vector>

#include "core/semantics/ranked.h"

namespace seq2seq_kit {

/// `sampling="tokens"`: K independent samples of a sentence, each until its own end, ranked as finished hypotheses are.
/// Tokens are drawn from the distribution that processors and then warpers leave; a sample's log-probabilities are
/// those before the warpers. Limits are those of the semantics: of `kit`, which lets EOS come last, or of `hf`, whose
/// forced prefix is a prompt and whose samples end where the limit is reached.
class SampleBeam : public RankedBeam {
 public:
  SampleBeam(const SearchOptions& options, const SentenceInput& sentence);

  void step(SentenceScores& scores, int64_t first_row) override;
  bool takes_only_best() const override { return false; }

  /// One candidate for each running sample.
  int64_t wanted() const override { return static_cast<int64_t>(running_.size()); }

  /// Takes one candidate for each running sample, in their order; one of -inf, where nothing is possible, ends it.
  void advance(std::span<const Candidate> candidates, int64_t first_row) override;

  Allowed allowed() const override { return allowed_by_length(/*eos_at_limit=*/!is_hf_); }
  bool done() const override { return running_.empty(); }
  bool in_prompt() const override { return length() < prompt_; }
  void stop(std::span<const bool> ended) override;

  /// The samples that have not ended, ascending.
  std::span<const int64_t> running() const { return running_; }

  /// The slot of a running sample: the first token of all samples comes from the same one.
  int64_t slot_of(size_t running) const { return slots().size() == 1 ? 0 : static_cast<int64_t>(running); }

 private:
  bool is_hf_;
  int64_t prompt_;   // tokens that are given, not scored
  int64_t longest_;  // the tokens of a hypothesis at most, EOS counted
  std::vector<int64_t> running_;
};

}  // namespace seq2seq_kit
