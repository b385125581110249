#pragma once

#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "core/processors/barred_tokens.h"
#include "core/processors/sequence_bias.h"

namespace seq2seq_kit {

/// Bans the token that would complete one of the options' bad words, or of the sentence's banned phrases. A lone end
/// symbol is none, as in Hugging Face.
class BadWords : public Processor {
 public:
  /// `of_sentences`: some sentence has phrases of its own.
  BadWords(const SearchOptions& options, bool of_sentences)
      : options_(&options), of_sentences_(of_sentences), tokens_(single(options)), longer_(longer(options)) {}

  void apply(const HypothesisView& hypothesis, ScoreRow& scores) const override {
    tokens_.apply(scores);
    longer_.apply(hypothesis, scores);
    for (const TokenSequence& phrase : hypothesis.sentence.banned) {
      const auto before = std::span(phrase).first(phrase.size() - 1);
      if (ends_with(hypothesis.generated(), before) && counts(*options_, phrase)) scores.ban(phrase.back());
    }
  }
  Effect effect() const override {
    if (tokens_.marked()) return Effect::other;
    return of_sentences_ ? Effect::bars : longer_.effect();
  }

 private:
  static bool counts(const SearchOptions& options, const TokenSequence& phrase) {
    return phrase.size() > 1 || !options.is_eos(phrase.back());
  }

  static std::vector<int64_t> single(const SearchOptions& options) {
    std::vector<int64_t> tokens;
    for (const TokenSequence& word : options.bad_words) {
      if (word.size() == 1 && counts(options, word)) tokens.push_back(word.front());
    }
    return tokens;
  }

  static std::vector<std::pair<TokenSequence, double>> longer(const SearchOptions& options) {
    std::vector<std::pair<TokenSequence, double>> biases;
    for (const TokenSequence& word : options.bad_words) {
      if (word.size() > 1) biases.emplace_back(word, -std::numeric_limits<double>::infinity());
    }
    return biases;
  }

  const SearchOptions* options_;
  bool of_sentences_;
  BarredTokens tokens_;
  SequenceBias longer_;
};

}  // namespace seq2seq_kit
