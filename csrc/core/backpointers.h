// The tokens of all hypotheses of a sentence, kept as backpointers and written out once, at the end. Torch-free.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/candidate.h"
#include "seq2seq_kit/hypothesis.h"

namespace seq2seq_kit {

class Backpointers {
 public:
  static constexpr int64_t kStart = -1;  // before the first token

  /// `candidate` continues the hypothesis that ends at node `previous`; `row` is where its token was scored, and `top`
  /// what `add_top` returned for that row, or -1. Returns the new node.
  int64_t add(const Candidate& candidate, int64_t row, int64_t previous, int64_t top = -1) {
    nodes_.push_back({candidate.token, row, previous, top, candidate.log_prob});
    return static_cast<int64_t>(nodes_.size()) - 1;
  }

  /// Keeps the likeliest tokens of a row.
  int64_t add_top(std::span<const Candidate> candidates);

  int64_t token(int64_t node) const { return nodes_[node].token; }
  int64_t previous(int64_t node) const { return nodes_[node].previous; }

  /// The tokens, log-probabilities and rows up to `node`.
  Hypothesis write_out(int64_t node) const;

 private:
  struct Node {
    int64_t token, row, previous, top;
    float log_prob;
  };

  std::vector<Node> nodes_;
  std::vector<std::vector<TopToken>> tops_;
};

}  // namespace seq2seq_kit
