// The scores of the next token of one hypothesis, as processors see and change them. Torch-free.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/row_edits.h"

namespace seq2seq_kit {

/// From raw scores to log-probabilities: ((x - max) * scale) - log_sum, in this order. The identity where the scores
/// are taken as they are.
struct RowNorm {
  float max = 0, scale = 1, log_sum = 0;

  float operator()(float score) const { return (score - max) * scale - log_sum; }
};

/// One row: read anywhere, written sparsely. Tokens out of range read as impossible and are never written, so that
/// nothing a user gives leads outside the row.
class ScoreRow {
 public:
  ScoreRow(const float* raw, int64_t vocab, RowNorm norm, RowEdits& edits)
      : raw_(raw), vocab_(vocab), norm_(norm), edits_(&edits) {}

  int64_t vocab() const { return vocab_; }

  float get(int64_t token) const {
    if (token < 0 || token >= vocab_) return kImpossible;
    if (const float* edited = edits_->find(token)) return *edited;
    return edits_->open(token) ? norm_(raw_[token]) + edits_->shift() : kImpossible;
  }

  /// The score before any edit.
  float original(int64_t token) const { return token < 0 || token >= vocab_ ? kImpossible : norm_(raw_[token]); }

  void set(int64_t token, float score) {
    if (token >= 0 && token < vocab_) edits_->set(token, score);
  }

  void ban(int64_t token) { set(token, kImpossible); }

  /// Adds to every token's score; at most once a row, so that it is rounded once.
  void shift(float by) { edits_->shift_all(by); }

  /// All tokens but these become impossible; these keep their scores.
  void only(std::span<const int64_t> tokens) {
    std::vector<float> scores;
    scores.reserve(tokens.size());
    for (const int64_t token : tokens) scores.push_back(get(token));
    edits_->close();
    for (size_t i = 0; i < tokens.size(); ++i) set(tokens[i], scores[i]);
  }

  /// The same for many tokens: those that `allowed` [up to V] marks, at no cost for each. It must outlive the row.
  void only_marked(std::span<const uint8_t> allowed) { edits_->mask(allowed, false); }

  /// Bans many tokens: those that `allowed` [up to V] has and does not mark, at no cost for each. It must outlive the
  /// row.
  void bar_unmarked(std::span<const uint8_t> allowed) { edits_->mask(allowed, true); }

  /// All tokens but this one become impossible; it gets `score`.
  void force(int64_t token, float score) {
    edits_->close();
    set(token, score);
  }

 private:
  const float* raw_;
  int64_t vocab_;
  RowNorm norm_;
  RowEdits* edits_;
};

}  // namespace seq2seq_kit
