#pragma once

#include <span>

#include "core/processors/processor.h"

namespace seq2seq_kit {

/// Tokens that are never written.
class Suppress : public Processor {
 public:
  explicit Suppress(std::span<const int64_t> tokens) : tokens_(tokens) {}

  void apply(const HypothesisView& /*hypothesis*/, ScoreRow& scores) const override {
    for (const int64_t token : tokens_) scores.ban(token);
  }

 private:
  std::span<const int64_t> tokens_;
};

/// Tokens that are not written first: after the prefix, or else after the forced first token.
class SuppressAtStart : public Processor {
 public:
  explicit SuppressAtStart(const SearchOptions& options) : options_(&options) {}

  void apply(const HypothesisView& hypothesis, ScoreRow& scores) const override {
    const auto prefix = static_cast<int64_t>(hypothesis.sentence.prefix.size());
    const int64_t start = prefix == 0 && options_->forced_first >= 0 ? 1 : prefix;
    if (hypothesis.length() != start) return;
    for (const int64_t token : options_->suppress_at_start) scores.ban(token);
  }

 private:
  const SearchOptions* options_;
};

}  // namespace seq2seq_kit
