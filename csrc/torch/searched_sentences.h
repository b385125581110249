// What a search holds of a batch on the host, wherever its state is: the sentences' beams, and what comes of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/beam.h"
#include "torch/advance.h"
#include "torch/attention_trace.h"
#include "torch/search.h"

namespace seq2seq_kit {

class SearchedSentences {
 public:
  /// Throws a SearchError where options or sentences are not as they must be. All must outlive it.
  SearchedSentences(const SearchOptions& options, const std::vector<SentenceInput>& sentences, SearchControl& control);

  int64_t size() const { return static_cast<int64_t>(beams_.size()); }
  Beam& beam(int64_t sentence) { return *beams_[sentence]; }

  /// Whether the time that the options give has passed since the search began.
  bool out_of_time();

  /// Throws for the first of the scores of the step at `position` that cannot be used; `sentences` [B'] are the batch.
  void check(const std::vector<BadScores>& bad, const std::vector<int64_t>& sentences, int64_t position) const;

  /// Keeps a step's attention [B, K, S'], where the options ask for it.
  void keep_attention(const at::Tensor& attention);

  /// Tells the caller, where he asked for it, of the tokens of a sentence that are settled since the last time.
  void tell_settled(int64_t sentence);

  SearchResult results();

 private:
  void tell(const std::vector<int64_t>& settled, int64_t sentence);

  const SearchOptions* options_;
  SearchControl* control_;
  std::vector<std::unique_ptr<Beam>> beams_;
  std::vector<int64_t> told_;  // tokens of each sentence that `on_tokens` knows
  AttentionTrace trace_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  bool out_of_time_ = false;
};

}  // namespace seq2seq_kit
