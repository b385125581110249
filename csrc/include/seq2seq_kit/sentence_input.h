#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "seq2seq_kit/search_options.h"

namespace seq2seq_kit {

/// A finite-state constraint: only tokens with an arc may follow. State 0 is the start.
struct Automaton {
  static constexpr int64_t kLeft = -1;  // the state after a token without an arc: nothing may follow

  std::vector<std::map<int64_t, int64_t>> arcs;  // [states]: token -> next state
  std::set<int64_t> accepting;                   // where EOS is allowed

  /// The state after `token`.
  int64_t next(int64_t state, int64_t token) const;

  /// Throws a SearchError where there is no state, or an arc or an accepting state leads to none.
  void validate() const;
};

/// What a search is told about one sentence, beside its scores. The fields and their meaning are those of
/// `seq2seq_kit.decoding.inputs.SentenceInput`, where they are documented.
struct SentenceInput {
  int64_t source_length = 0;
  std::vector<int64_t> source;
  std::vector<int64_t> prefix;
  std::vector<std::vector<TokenSequence>> constraints;  // of each, one phrase must appear
  std::vector<TokenSequence> banned;
  std::shared_ptr<const Automaton> automaton;
  int64_t key = 0;

  /// Throws a SearchError that names the field.
  void validate() const;
};

/// The tokens, a forced prefix counted, after which a sentence may only end: the least of the options' limits.
int64_t length_limit(const SearchOptions& options, const SentenceInput& sentence);

/// The tokens, a forced prefix counted, before which no end symbol may come; where the limit is lower, it wins.
int64_t least_length(const SearchOptions& options, const SentenceInput& sentence);

}  // namespace seq2seq_kit
