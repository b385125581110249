#include "core/backpointers.h"

#include <algorithm>

namespace seq2seq_kit {

Hypothesis Backpointers::write_out(int64_t node) const {
  Hypothesis hypothesis;
  for (; node != kStart; node = nodes_[node].previous) {
    hypothesis.tokens.push_back(nodes_[node].token);
    hypothesis.token_log_probs.push_back(nodes_[node].log_prob);
    hypothesis.rows.push_back(nodes_[node].row);
  }
  std::reverse(hypothesis.tokens.begin(), hypothesis.tokens.end());
  std::reverse(hypothesis.token_log_probs.begin(), hypothesis.token_log_probs.end());
  std::reverse(hypothesis.rows.begin(), hypothesis.rows.end());
  return hypothesis;
}

}  // namespace seq2seq_kit
