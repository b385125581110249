#include "core/ranking.h"

#include <algorithm>
#include <cmath>

namespace seq2seq_kit {

double length_penalty(const SearchOptions& options, int64_t length) {
  const double offset = options.length_penalty_offset;
  return std::pow((offset + static_cast<double>(length)) / (offset + 1), options.length_penalty);
}

double ranking_score(const SearchOptions& options, const SentenceInput& sentence, float sum, int64_t length) {
  const auto n = static_cast<double>(length);
  const double total = static_cast<double>(sum) - options.word_penalty * n;
  double score = total / length_penalty(options, length);
  if (options.brevity_penalty > 0) {
    const double expected = options.brevity_ratio * static_cast<double>(sentence.source_length);
    score += options.brevity_penalty * std::min(0.0, 1 - expected / n);
  }
  return score;
}

double best_possible_score(const SearchOptions& options, const SentenceInput& sentence, float sum, int64_t shortest,
                           int64_t longest) {
  double best = ranking_score(options, sentence, sum, longest);
  if (options.word_penalty == 0 && options.brevity_penalty == 0) return best;  // a longer one is never worse
  for (int64_t length = shortest; length < longest; ++length) {
    best = std::max(best, ranking_score(options, sentence, sum, length));
  }
  return best;
}

}  // namespace seq2seq_kit
