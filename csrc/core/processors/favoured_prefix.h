#pragma once

#include <algorithm>
#include <cmath>

#include "core/processors/processor.h"

namespace seq2seq_kit {

/// While a hypothesis follows the sentence's prefix, (1 - bias) p + bias for the prefix's next token and (1 - bias) p
/// for all others (CTranslate2's prefix bias). What other options bar stays barred.
class FavouredPrefix : public Processor {
 public:
  explicit FavouredPrefix(double bias) : log_bias_(std::log(bias)), log_rest_(std::log1p(-bias)) {}

  void apply(const HypothesisView& hypothesis, ScoreRow& scores) const override {
    const auto& prefix = hypothesis.sentence.prefix;
    const auto generated = hypothesis.generated();
    if (generated.size() >= prefix.size() || !std::equal(generated.begin(), generated.end(), prefix.begin())) return;
    const int64_t next = prefix[generated.size()];
    const float score = scores.get(next);
    scores.shift(static_cast<float>(log_rest_));
    if (score == kImpossible) return;
    const auto [less, more] = std::minmax({static_cast<double>(score) + log_rest_, log_bias_});
    scores.set(next, static_cast<float>(more + std::log1p(std::exp(less - more))));
  }

 private:
  double log_bias_, log_rest_;
};

}  // namespace seq2seq_kit
