#include "core/constraints/lexical.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>

#include "seq2seq_kit/errors.h"

namespace seq2seq_kit {
namespace {

/// Whether nothing that bars tokens wherever they stand bars the phrase.
bool is_possible(Tokens phrase, const SearchOptions& options, const SentenceInput& sentence) {
  const auto inside = [&](const TokenSequence& barred) { return contains(phrase, barred); };
  const auto suppressed = [&](int64_t token) {
    return std::find(options.suppress.begin(), options.suppress.end(), token) != options.suppress.end();
  };
  return static_cast<int64_t>(phrase.size()) <= length_limit(options, sentence) &&
         std::none_of(phrase.begin(), phrase.end(), suppressed) &&
         std::none_of(options.bad_words.begin(), options.bad_words.end(), inside) &&
         std::none_of(sentence.banned.begin(), sentence.banned.end(), inside);
}

/// The longest beginning of the phrase, short of the whole, with which the tokens end.
size_t written(Tokens tokens, Tokens phrase) {
  size_t length = std::min(tokens.size(), phrase.size() - 1);
  while (!std::equal(phrase.begin(), phrase.begin() + length, tokens.end() - length)) --length;
  return length;
}

}  // namespace

LexicalConstraints::LexicalConstraints(const SearchOptions& options, const SentenceInput& sentence, Tokens given) {
  for (size_t i = 0; i < sentence.constraints.size(); ++i) {
    Constraint constraint{&sentence.constraints[i], {}, 0, times_asked(sentence, i), true};
    for (const TokenSequence& phrase : sentence.constraints[i]) {
      for (const int64_t token : phrase) {
        if (!options.is_eos(token)) continue;
        throw SearchError("constraints: a phrase has the end symbol " + std::to_string(token) +
                          ", after which nothing can come");
      }
      longest_phrase_ = std::max(longest_phrase_, phrase.size());
      if (!is_possible(phrase, options, sentence)) continue;
      const auto size = static_cast<int64_t>(phrase.size());
      constraint.shortest = constraint.possible.empty() ? size : std::min(constraint.shortest, size);
      constraint.possible.push_back(phrase);
    }
    constraints_.push_back(std::move(constraint));
  }
  find_what_fits(given, length_limit(options, sentence));
}

void LexicalConstraints::find_what_fits(Tokens given, int64_t limit) {
  Times times = none();
  for (size_t length = 1; length <= given.size(); ++length) count(given.first(length), times);
  std::vector<Constraint*> open;
  for (size_t i = 0; i < constraints_.size(); ++i) {
    if (constraints_[i].open(times[i])) open.push_back(&constraints_[i]);
  }
  const auto shorter = [](const Constraint* a, const Constraint* b) { return a->shortest < b->shortest; };
  std::stable_sort(open.begin(), open.end(), shorter);
  int64_t room = limit - static_cast<int64_t>(given.size());
  for (Constraint* constraint : open) {
    room -= constraint->shortest;
    constraint->fits = room >= 0;
  }
}

void LexicalConstraints::check_tokens(int64_t vocab) const {
  for (const Constraint& constraint : constraints_) {
    for (const TokenSequence& phrase : *constraint.phrases) {
      for (const int64_t token : phrase) {
        if (token < vocab) continue;
        throw SearchError("constraints: token " + std::to_string(token) + ", but the step scores " +
                          std::to_string(vocab) + " tokens");
      }
    }
  }
}

void LexicalConstraints::count(Tokens generated, Times& times) const {
  for (size_t i = 0; i < constraints_.size(); ++i) times[i] += completes(generated, *constraints_[i].phrases);
}

int64_t LexicalConstraints::unmet(const Times& times) const {
  int64_t unmet = 0;
  for (size_t i = 0; i < constraints_.size(); ++i) unmet += constraints_[i].open(times[i]);
  return unmet;
}

int64_t LexicalConstraints::bank(Tokens generated, const Times& times) const {
  int64_t met = 0, most = 0;
  for (size_t i = 0; i < constraints_.size(); ++i) {
    const Constraint& constraint = constraints_[i];
    if (!constraint.counts()) continue;
    if (!constraint.open(times[i])) {
      met += constraint.shortest;
      continue;
    }
    for (const TokenSequence& phrase : constraint.possible) {
      const auto missing = static_cast<int64_t>(phrase.size() - written(generated, phrase));
      most = std::max(most, constraint.shortest - missing);
    }
  }
  return met + most;
}

int64_t LexicalConstraints::tokens() const {
  int64_t tokens = 0;
  for (const Constraint& constraint : constraints_) tokens += constraint.counts() ? constraint.shortest : 0;
  return tokens;
}

std::vector<int64_t> LexicalConstraints::next_tokens(Tokens generated, const Times& times) const {
  std::set<int64_t> tokens;
  for (size_t i = 0; i < constraints_.size(); ++i) {
    if (!constraints_[i].open(times[i])) continue;
    for (const TokenSequence& phrase : constraints_[i].possible) tokens.insert(phrase[written(generated, phrase)]);
  }
  return {tokens.begin(), tokens.end()};
}

}  // namespace seq2seq_kit
