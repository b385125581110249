#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/processors/marks.h"
#include "core/score_row.h"

namespace seq2seq_kit {

/// Tokens that are barred together, however many: few are listed, many are marked.
class BarredTokens {
 public:
  explicit BarredTokens(std::vector<int64_t> tokens) : tokens_(std::move(tokens)) {
    const auto [least, greatest] = std::minmax_element(tokens_.begin(), tokens_.end());
    if (!worth_marking(tokens_.size(), tokens_.empty() ? 0 : *least, tokens_.empty() ? 0 : *greatest)) return;
    allowed_.resize(*greatest + 1, 1);
    for (const int64_t token : tokens_) allowed_[token] = 0;
  }

  void apply(ScoreRow& scores) const {
    if (marked()) return scores.bar_unmarked(allowed_);
    for (const int64_t token : tokens_) scores.ban(token);
  }

  bool marked() const { return !allowed_.empty(); }

 private:
  std::vector<int64_t> tokens_;
  std::vector<uint8_t> allowed_;  // [up to V]; empty where they are listed
};

}  // namespace seq2seq_kit
