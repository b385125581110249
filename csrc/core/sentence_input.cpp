#include "seq2seq_kit/sentence_input.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "seq2seq_kit/errors.h"

namespace seq2seq_kit {
namespace {

void require_tokens(const char* field, const TokenSequence& tokens) {
  for (const int64_t token : tokens) {
    if (token < 0) throw SearchError(std::string(field) + " = " + std::to_string(token) + ": token ids are at least 0");
  }
}

void require_phrase(const char* field, const TokenSequence& phrase) {
  if (phrase.empty()) throw SearchError(std::string(field) + ": a phrase without tokens");
  require_tokens(field, phrase);
}

}  // namespace

void Automaton::validate() const {
  const auto states = static_cast<int64_t>(arcs.size());
  if (states == 0) throw SearchError("automaton: there is no state");
  const auto check = [&](const char* what, int64_t state) {
    if (state >= 0 && state < states) return;
    throw SearchError(std::string("automaton: ") + what + " " + std::to_string(state) + ", but there are " +
                      std::to_string(states) + " states");
  };
  for (const auto& state : arcs) {
    for (const auto& [token, next] : state) check("an arc leads to state", next);
  }
  for (const int64_t state : accepting) check("accepting has state", state);
}

int64_t Automaton::next(int64_t state, int64_t token) const {
  if (state == kLeft) return kLeft;
  const auto arc = arcs[state].find(token);
  return arc == arcs[state].end() ? kLeft : arc->second;
}

void SentenceInput::validate() const {
  if (source_length < 0) {
    throw SearchError("source_length = " + std::to_string(source_length) + ": must be at least 0");
  }
  require_tokens("source", source);
  require_tokens("prefix", prefix);
  for (const auto& phrases : constraints) {
    if (phrases.empty()) throw SearchError("constraints: one without phrases can never be met");
    for (const auto& phrase : phrases) require_phrase("constraints", phrase);
  }
  for (const auto& phrase : banned) require_phrase("banned", phrase);
  if (automaton) automaton->validate();
}

int64_t length_limit(const SearchOptions& options, const SentenceInput& sentence) {
  auto limit = static_cast<double>(options.max_length);
  if (options.max_length_ratio > 0) {
    const double by_source = std::floor(options.max_length_ratio * static_cast<double>(sentence.source_length));
    limit = std::clamp(by_source + static_cast<double>(options.max_length_margin), 1.0, limit);
  }
  if (options.max_new_tokens > 0) {
    limit = std::min(limit, static_cast<double>(sentence.prefix.size()) + static_cast<double>(options.max_new_tokens));
  }
  return static_cast<int64_t>(limit);
}

int64_t least_length(const SearchOptions& options, const SentenceInput& sentence) {
  if (options.min_new_tokens == 0) return options.min_length;
  return std::max(options.min_length, static_cast<int64_t>(sentence.prefix.size()) + options.min_new_tokens);
}

}  // namespace seq2seq_kit
