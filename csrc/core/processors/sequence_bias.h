#pragma once

#include <algorithm>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/processors/processor.h"

namespace seq2seq_kit {

/// Whether `tokens` are the last of `generated`.
inline bool ends_with(std::span<const int64_t> generated, std::span<const int64_t> tokens) {
  return tokens.size() <= generated.size() && std::equal(tokens.rbegin(), tokens.rend(), generated.rbegin());
}

/// Adds a bias to the token that would complete a sequence: single tokens first, then the longer sequences, each in the
/// order given. A bias of -inf bans, so that bad words are such biases too.
class SequenceBias : public Processor {
 public:
  explicit SequenceBias(std::span<const std::pair<TokenSequence, double>> biases) {
    for (const auto& [sequence, bias] : biases) {
      const Bias entry{{sequence.begin(), sequence.end() - 1}, sequence.back(), static_cast<float>(bias)};
      only_bars_ = only_bars_ && entry.bias == kImpossible;
      if (entry.before.empty()) {
        single_.push_back(entry);
      } else {
        longer_[entry.before.back()].push_back(entry);
      }
    }
  }

  void apply(const HypothesisView& hypothesis, ScoreRow& scores) const override {
    for (const Bias& bias : single_) add(bias, scores);
    const auto generated = hypothesis.generated();
    if (longer_.empty() || generated.empty()) return;
    const auto candidates = longer_.find(generated.back());
    if (candidates == longer_.end()) return;
    for (const Bias& bias : candidates->second) {
      if (ends_with(generated, bias.before)) add(bias, scores);
    }
  }
  Effect effect() const override {
    return !only_bars_ ? Effect::other : longer_.empty() ? Effect::bars_alike : Effect::bars;
  }

 private:
  struct Bias {
    TokenSequence before;
    int64_t token;
    float bias;
  };

  static void add(const Bias& bias, ScoreRow& scores) {
    if (bias.bias == kImpossible) return scores.ban(bias.token);
    scores.set(bias.token, scores.get(bias.token) + bias.bias);
  }

  bool only_bars_ = true;
  std::vector<Bias> single_;
  std::unordered_map<int64_t, std::vector<Bias>> longer_;  // by the token before the last
};

}  // namespace seq2seq_kit
