#pragma once

#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "core/processors/sequence_bias.h"

namespace seq2seq_kit {

/// Bans the token that would complete one of the options' bad words, or of the sentence's banned phrases. A lone end
/// symbol is none, as in Hugging Face.
class BadWords : public Processor {
 public:
  explicit BadWords(const SearchOptions& options) : options_(&options), bad_words_(biases(options)) {}

  void apply(const HypothesisView& hypothesis, ScoreRow& scores) const override {
    bad_words_.apply(hypothesis, scores);
    for (const TokenSequence& phrase : hypothesis.sentence.banned) {
      const auto before = std::span(phrase).first(phrase.size() - 1);
      if (ends_with(hypothesis.generated(), before) && counts(*options_, phrase)) scores.ban(phrase.back());
    }
  }

 private:
  static bool counts(const SearchOptions& options, const TokenSequence& phrase) {
    return phrase.size() > 1 || !options.is_eos(phrase.back());
  }

  static std::vector<std::pair<TokenSequence, double>> biases(const SearchOptions& options) {
    std::vector<std::pair<TokenSequence, double>> biases;
    for (const TokenSequence& word : options.bad_words) {
      if (counts(options, word)) biases.emplace_back(word, -std::numeric_limits<double>::infinity());
    }
    return biases;
  }

  const SearchOptions* options_;
  SequenceBias bad_words_;
};

}  // namespace seq2seq_kit
