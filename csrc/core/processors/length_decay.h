#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/processors/processor.h"

namespace seq2seq_kit {

/// EOS grows likelier with every token: x + |x| (factor ** (length - start) - 1), the power in float64, the rest in
/// float32 (Hugging Face's exponential decay length penalty).
class LengthDecay : public Processor {
 public:
  explicit LengthDecay(const SearchOptions& options) : options_(&options) {}

  void apply(const HypothesisView& hypothesis, ScoreRow& scores) const override {
    const int64_t length = hypothesis.length() - static_cast<int64_t>(hypothesis.sentence.prefix.size());
    const int64_t past = length - options_->length_decay_start;
    if (past <= 0) return;
    // At most what float32 holds, so that 0 times it is 0.
    const double power = std::min(std::pow(options_->length_decay_factor, static_cast<double>(past)),
                                  static_cast<double>(std::numeric_limits<float>::max()));
    const auto growth = static_cast<float>(power - 1);
    for (const int64_t token : options_->eos_ids) {
      const float score = scores.get(token);
      if (score != kImpossible) scores.set(token, score + std::abs(score) * growth);
    }
  }

 private:
  const SearchOptions* options_;
};

}  // namespace seq2seq_kit
