// How far a hypothesis has come with the phrases that its sentence's output must contain. Torch-free.
#pragma once

#include <cstdint>
#include <vector>

#include "core/constraints/phrases.h"
#include "seq2seq_kit/search_options.h"
#include "seq2seq_kit/sentence_input.h"

namespace seq2seq_kit {

/// One sentence's constraints under some options. What a hypothesis has met is its own: how often each has come.
class LexicalConstraints {
 public:
  using Times = std::vector<int64_t>;  // [constraints]

  /// `given` are the tokens that every output begins with. `sentence` must outlive this. Throws a SearchError where a
  /// phrase has an end symbol.
  LexicalConstraints(const SearchOptions& options, const SentenceInput& sentence, Tokens given);

  /// Throws a SearchError where a token id is not below `vocab`.
  void check_tokens(int64_t vocab) const;

  Times none() const { return Times(constraints_.size(), 0); }

  /// Counts what the last of the tokens completes.
  void count(Tokens generated, Times& times) const;

  /// How many constraints are not met, but for those whose phrases the options bar.
  int64_t unmet(const Times& times) const;

  /// Tokens of constraints: for each that is met those of its shortest phrase, and the most that is written of one that
  /// is not. While tokens are possible, the next one of some phrase always makes it grow.
  int64_t bank(Tokens generated, const Times& times) const;

  /// The fullest bank.
  int64_t tokens() const;

  /// The next tokens of the phrases of constraints that are not met, ascending.
  std::vector<int64_t> next_tokens(Tokens generated, const Times& times) const;

  /// The tokens at the end of a hypothesis that `count`, `bank` and `next_tokens` look at, at most.
  size_t longest_phrase() const { return longest_phrase_; }

 private:
  struct Constraint {
    const std::vector<TokenSequence>* phrases;
    std::vector<TokenSequence> possible;  // the phrases that no option bars
    int64_t shortest = 0;                 // tokens of the shortest possible one
    int64_t asked = 1;                    // times
    bool fits = true;                     // the length limit leaves room for it, beside all shorter ones

    bool can_be_met() const { return !possible.empty(); }
    bool counts() const { return can_be_met() && fits; }
    bool open(int64_t times) const { return can_be_met() && times < asked; }
  };

  void find_what_fits(Tokens given, int64_t limit);

  std::vector<Constraint> constraints_;
  size_t longest_phrase_ = 0;
};

}  // namespace seq2seq_kit
