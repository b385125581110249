#include "core/backpointers.h"

#include <algorithm>

namespace seq2seq_kit {

int64_t Backpointers::add_top(std::span<const Candidate> candidates) {
  auto& top = tops_.emplace_back();
  for (const Candidate& candidate : candidates) top.push_back({candidate.token, candidate.log_prob});
  return static_cast<int64_t>(tops_.size()) - 1;
}

Hypothesis Backpointers::write_out(int64_t node) const {
  Hypothesis hypothesis;
  for (; node != kStart; node = nodes_[node].previous) {
    hypothesis.tokens.push_back(nodes_[node].token);
    hypothesis.token_log_probs.push_back(nodes_[node].log_prob);
    hypothesis.rows.push_back(nodes_[node].row);
    if (nodes_[node].top >= 0) hypothesis.top_tokens.push_back(tops_[nodes_[node].top]);
  }
  std::reverse(hypothesis.tokens.begin(), hypothesis.tokens.end());
  std::reverse(hypothesis.token_log_probs.begin(), hypothesis.token_log_probs.end());
  std::reverse(hypothesis.rows.begin(), hypothesis.rows.end());
  std::reverse(hypothesis.top_tokens.begin(), hypothesis.top_tokens.end());
  return hypothesis;
}

}  // namespace seq2seq_kit
