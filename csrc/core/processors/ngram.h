#pragma once

#include <algorithm>
#include <span>

#include "core/processors/processor.h"

namespace seq2seq_kit {

/// Bans the tokens with which the end of `sequence` would become an n-gram (`size`) of `source`, unless the n-gram has
/// an exempt token.
inline void ban_repeated(std::span<const int64_t> sequence, std::span<const int64_t> source, size_t size,
                         std::span<const int64_t> exempt, ScoreRow& scores) {
  if (sequence.size() + 1 < size || source.size() < size) return;
  const auto end = sequence.last(size - 1);
  const auto is_exempt = [&](int64_t token) { return std::find(exempt.begin(), exempt.end(), token) != exempt.end(); };
  for (size_t i = 0; i + size <= source.size(); ++i) {
    const auto ngram = source.subspan(i, size);
    if (!std::equal(end.begin(), end.end(), ngram.begin())) continue;
    if (std::none_of(ngram.begin(), ngram.end(), is_exempt)) scores.ban(ngram.back());
  }
}

/// No n-gram comes twice in a hypothesis (Paulus et al. 2017).
class NoRepeatNgram : public Processor {
 public:
  NoRepeatNgram(const SearchOptions& options, bool counts_bos) : options_(&options), counts_bos_(counts_bos) {}

  void apply(const HypothesisView& hypothesis, ScoreRow& scores) const override {
    const auto tokens = hypothesis.tokens(counts_bos_);
    ban_repeated(tokens, tokens, options_->no_repeat_ngram, options_->no_repeat_ngram_except, scores);
  }
  Effect effect() const override { return Effect::bars; }

 private:
  const SearchOptions* options_;
  bool counts_bos_;
};

/// No n-gram of the source is copied.
class NoRepeatSourceNgram : public Processor {
 public:
  NoRepeatSourceNgram(int64_t size, bool counts_bos) : size_(size), counts_bos_(counts_bos) {}

  void apply(const HypothesisView& hypothesis, ScoreRow& scores) const override {
    ban_repeated(hypothesis.tokens(counts_bos_), hypothesis.sentence.source, size_, {}, scores);
  }
  Effect effect() const override { return Effect::bars; }

 private:
  int64_t size_;
  bool counts_bos_;
};

}  // namespace seq2seq_kit
