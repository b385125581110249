#pragma once

#include <vector>

#include "core/processors/barred_tokens.h"
#include "core/processors/processor.h"

namespace seq2seq_kit {

/// Tokens that are never written.
class Suppress : public Processor {
 public:
  explicit Suppress(const std::vector<int64_t>& tokens) : tokens_(tokens) {}

  void apply(const HypothesisView& /*hypothesis*/, ScoreRow& scores) const override { tokens_.apply(scores); }
  Effect effect() const override { return tokens_.marked() ? Effect::other : Effect::bars_alike; }

 private:
  BarredTokens tokens_;
};

/// Tokens that are not written first: after the prefix, or else after the forced first token.
class SuppressAtStart : public Processor {
 public:
  explicit SuppressAtStart(const SearchOptions& options) : options_(&options), tokens_(options.suppress_at_start) {}

  void apply(const HypothesisView& hypothesis, ScoreRow& scores) const override {
    const auto prefix = static_cast<int64_t>(hypothesis.sentence.prefix.size());
    const int64_t start = prefix == 0 && options_->forced_first >= 0 ? 1 : prefix;
    if (hypothesis.length() == start) tokens_.apply(scores);
  }
  Effect effect() const override { return tokens_.marked() ? Effect::other : Effect::bars; }

 private:
  const SearchOptions* options_;
  BarredTokens tokens_;
};

}  // namespace seq2seq_kit
