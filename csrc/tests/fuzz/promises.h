// What single options promise of every hypothesis, as far as no other one forces tokens against it.
#pragma once

#include <algorithm>
#include <span>

#include "check.h"
#include "seq2seq_kit/hypothesis.h"
#include "seq2seq_kit/search_options.h"
#include "seq2seq_kit/sentence_input.h"

namespace promises {

using namespace seq2seq_kit;
using Tokens = std::span<const int64_t>;

inline bool contains(Tokens tokens, int64_t token) {
  return std::find(tokens.begin(), tokens.end(), token) != tokens.end();
}

inline bool contains(Tokens tokens, Tokens phrase) {
  return std::search(tokens.begin(), tokens.end(), phrase.begin(), phrase.end()) != tokens.end();
}

inline bool repeats_ngram(Tokens tokens, size_t n, Tokens except) {
  for (size_t i = 0; i + n < tokens.size(); ++i) {
    const Tokens ngram = tokens.subspan(i, n);
    const bool excepted =
        std::any_of(ngram.begin(), ngram.end(), [&](int64_t token) { return contains(except, token); });
    if (!excepted && contains(tokens.subspan(i + 1), ngram)) return true;
  }
  return false;
}

inline void check_automaton(const Automaton& automaton, const SearchOptions& options, Tokens tokens) {
  int64_t state = 0;
  for (const int64_t token : tokens) {
    if (options.is_eos(token)) {
      CHECK(automaton.accepting.count(state) > 0);
      return;
    }
    state = automaton.next(state, token);
    CHECK(state != Automaton::kLeft);
  }
}

}  // namespace promises

inline void check_promises(const seq2seq_kit::SearchOptions& options, const seq2seq_kit::SentenceInput& sentence,
                           const seq2seq_kit::Hypothesis& hypothesis) {
  using namespace promises;
  const bool forces = options.forced_first >= 0 || options.forced_last >= 0 || !sentence.prefix.empty() ||
                      !sentence.constraints.empty();
  // There, as in CTranslate2, processors see only what comes after the first token of an alternative.
  const bool sees_parts = options.alternatives && options.semantics == Semantics::ct2;
  if (forces || sees_parts) return;
  const Tokens tokens = hypothesis.tokens;
  for (const int64_t token : options.suppress) CHECK(!contains(tokens, token));
  for (const int64_t token : options.suppress_at_start) CHECK(tokens.empty() || tokens.front() != token);
  const auto check_banned = [&](const TokenSequence& phrase) {
    const bool lone_end = phrase.size() == 1 && options.is_eos(phrase.front());  // not counted as a bad word
    CHECK(lone_end || !contains(tokens, phrase));
  };
  for (const auto& phrase : options.bad_words) check_banned(phrase);
  for (const auto& phrase : sentence.banned) check_banned(phrase);
  if (options.no_repeat_ngram > 0) {
    CHECK(!repeats_ngram(tokens, static_cast<size_t>(options.no_repeat_ngram), options.no_repeat_ngram_except));
  }
  if (options.no_repeat_ngram_source > 0) {
    const auto n = static_cast<size_t>(options.no_repeat_ngram_source);
    for (size_t i = 0; i + n <= sentence.source.size(); ++i) {
      CHECK(!contains(tokens, Tokens(sentence.source).subspan(i, n)));
    }
  }
  if (sentence.automaton) check_automaton(*sentence.automaton, options, tokens);
  if (hypothesis.finish == Finish::eos) {
    const int64_t least = std::max(options.min_length, options.min_new_tokens);
    CHECK(static_cast<int64_t>(tokens.size()) > std::min(least, length_limit(options, sentence) - 1));
  }
}
