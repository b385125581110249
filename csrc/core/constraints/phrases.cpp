#include "core/constraints/phrases.h"

#include <algorithm>

namespace seq2seq_kit {

bool contains(Tokens tokens, Tokens phrase) {
  return std::search(tokens.begin(), tokens.end(), phrase.begin(), phrase.end()) != tokens.end();
}

bool completes(Tokens tokens, const std::vector<TokenSequence>& phrases) {
  return std::any_of(phrases.begin(), phrases.end(), [&](const TokenSequence& phrase) {
    return phrase.size() <= tokens.size() && std::equal(phrase.rbegin(), phrase.rend(), tokens.rbegin());
  });
}

int64_t times_asked(const SentenceInput& sentence, size_t constraint) {
  const auto begin = sentence.constraints.begin(), end = begin + static_cast<int64_t>(constraint) + 1;
  return std::count(begin, end, sentence.constraints[constraint]);
}

std::vector<int64_t> unmet_constraints(const SentenceInput& sentence, Tokens tokens) {
  std::vector<int64_t> unmet;
  for (size_t i = 0; i < sentence.constraints.size(); ++i) {
    int64_t times = 0;
    for (size_t length = 1; length <= tokens.size(); ++length) {
      times += completes(tokens.first(length), sentence.constraints[i]);
    }
    if (times < times_asked(sentence, i)) unmet.push_back(static_cast<int64_t>(i));
  }
  return unmet;
}

}  // namespace seq2seq_kit
