#pragma once

#include <span>
#include <vector>

#include "core/processors/processor.h"

namespace seq2seq_kit {

/// Divides the positive scores of these tokens and multiplies their negative ones, once for each token (Keskar et al.
/// 2019): scores are read before any is written.
inline void penalise(std::span<const int64_t> tokens, float penalty, ScoreRow& scores) {
  std::vector<float> penalised;
  penalised.reserve(tokens.size());
  for (const int64_t token : tokens) {
    const float score = scores.get(token);
    penalised.push_back(score < 0 ? score * penalty : score / penalty);
  }
  for (size_t i = 0; i < tokens.size(); ++i) scores.set(tokens[i], penalised[i]);
}

/// Makes the tokens that a hypothesis has written less likely.
class RepetitionPenalty : public Processor {
 public:
  RepetitionPenalty(double penalty, bool counts_bos) : penalty_(static_cast<float>(penalty)), counts_bos_(counts_bos) {}

  void apply(const HypothesisView& hypothesis, ScoreRow& scores) const override {
    penalise(hypothesis.tokens(counts_bos_), penalty_, scores);
  }

 private:
  float penalty_;
  bool counts_bos_;
};

/// Makes the source's tokens more likely.
class SourceRepetitionPenalty : public Processor {
 public:
  explicit SourceRepetitionPenalty(double penalty) : inverse_(static_cast<float>(1 / penalty)) {}

  void apply(const HypothesisView& hypothesis, ScoreRow& scores) const override {
    penalise(hypothesis.sentence.source, inverse_, scores);
  }

 private:
  float inverse_;
};

}  // namespace seq2seq_kit
