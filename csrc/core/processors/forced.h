#pragma once

#include "core/processors/processor.h"

namespace seq2seq_kit {

/// What a forced token scores: what the step gave it, or 0, as in toolkits that do not score what they force.
enum class ForcedScore { its_own, zero };

inline void force(int64_t token, ForcedScore score, ScoreRow& scores) {
  scores.force(token, score == ForcedScore::zero ? 0.0f : scores.original(token));
}

/// The first token is given.
class ForcedFirst : public Processor {
 public:
  ForcedFirst(int64_t token, ForcedScore score) : token_(token), score_(score) {}

  void apply(const HypothesisView& hypothesis, ScoreRow& scores) const override {
    if (hypothesis.length() == 0) force(token_, score_, scores);
  }

 private:
  int64_t token_;
  ForcedScore score_;
};

/// The last token is given where the limit is reached. With some semantics EOS counts among the tokens that are
/// limited, with others it comes after them.
class ForcedLast : public Processor {
 public:
  ForcedLast(int64_t token, ForcedScore score, bool eos_counts)
      : token_(token), score_(score), before_limit_(eos_counts ? 1 : 0) {}

  void apply(const HypothesisView& hypothesis, ScoreRow& scores) const override {
    if (hypothesis.length() + before_limit_ == hypothesis.limit) force(token_, score_, scores);
  }

 private:
  int64_t token_;
  ForcedScore score_;
  int64_t before_limit_;
};

/// The sentence's prefix is written, whatever other options bar.
class ForcedPrefix : public Processor {
 public:
  explicit ForcedPrefix(ForcedScore score) : score_(score) {}

  void apply(const HypothesisView& hypothesis, ScoreRow& scores) const override {
    const auto& prefix = hypothesis.sentence.prefix;
    const auto at = static_cast<size_t>(hypothesis.length());
    if (at < prefix.size()) force(prefix[at], score_, scores);
  }

 private:
  ForcedScore score_;
};

}  // namespace seq2seq_kit
