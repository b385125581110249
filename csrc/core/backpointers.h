// The tokens of all hypotheses of a sentence, kept as backpointers and written out once, at the end. Torch-free.
#pragma once

#include <cstdint>
#include <vector>

#include "core/candidate.h"
#include "seq2seq_kit/hypothesis.h"

namespace seq2seq_kit {

class Backpointers {
 public:
  static constexpr int64_t kStart = -1;  // before the first token

  /// `candidate` continues the hypothesis that ends at node `previous`; `row` is where its token was scored. Returns
  /// the new node.
  int64_t add(const Candidate& candidate, int64_t row, int64_t previous) {
    nodes_.push_back({candidate.token, row, previous, candidate.log_prob});
    return static_cast<int64_t>(nodes_.size()) - 1;
  }

  int64_t token(int64_t node) const { return nodes_[node].token; }
  int64_t previous(int64_t node) const { return nodes_[node].previous; }

  /// The tokens, log-probabilities and rows up to `node`.
  Hypothesis write_out(int64_t node) const;

 private:
  struct Node {
    int64_t token, row, previous;
    float log_prob;
  };

  std::vector<Node> nodes_;
};

}  // namespace seq2seq_kit
