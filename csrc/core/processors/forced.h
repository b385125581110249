#pragma once

#include <optional>

#include "core/processors/processor.h"

namespace seq2seq_kit {

/// What a forced token scores: what the step gave it, or 0, as in toolkits that do not score what they force.
enum class ForcedScore { its_own, zero };

/// Where a token is forced, all others become impossible.
class Forced : public Processor {
 public:
  explicit Forced(ForcedScore score) : score_(score) {}

  void apply(const HypothesisView& hypothesis, ScoreRow& scores) const override {
    const auto token = token_for(hypothesis);
    if (token) scores.force(*token, score_ == ForcedScore::zero ? 0.0f : scores.original(*token));
  }
  Effect effect() const override { return score_ == ForcedScore::zero ? Effect::bars_alike : Effect::other; }

 private:
  /// The hypothesis' next token, where it is forced.
  virtual std::optional<int64_t> token_for(const HypothesisView& hypothesis) const = 0;

  ForcedScore score_;
};

/// The first token is given.
class ForcedFirst : public Forced {
 public:
  ForcedFirst(int64_t token, ForcedScore score) : Forced(score), token_(token) {}

 private:
  std::optional<int64_t> token_for(const HypothesisView& hypothesis) const override {
    return hypothesis.length() == 0 ? std::optional(token_) : std::nullopt;
  }

  int64_t token_;
};

/// The last token is given where the limit is reached. With some semantics EOS counts among the tokens that are
/// limited, with others it comes after them.
class ForcedLast : public Forced {
 public:
  ForcedLast(int64_t token, ForcedScore score, bool eos_counts)
      : Forced(score), token_(token), before_limit_(eos_counts ? 1 : 0) {}

 private:
  std::optional<int64_t> token_for(const HypothesisView& hypothesis) const override {
    return hypothesis.length() + before_limit_ == hypothesis.limit ? std::optional(token_) : std::nullopt;
  }

  int64_t token_;
  int64_t before_limit_;
};

/// The sentence's prefix is written, whatever other options bar.
class ForcedPrefix : public Forced {
 public:
  using Forced::Forced;

 private:
  std::optional<int64_t> token_for(const HypothesisView& hypothesis) const override {
    const auto& prefix = hypothesis.sentence.prefix;
    const auto at = static_cast<size_t>(hypothesis.length());
    return at < prefix.size() ? std::optional(prefix[at]) : std::nullopt;
  }
};

}  // namespace seq2seq_kit
