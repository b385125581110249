#pragma once

#include <cstdint>
#include <vector>

namespace seq2seq_kit {

/// A finished hypothesis. Torch-free: `rows` says where in each step's output a caller finds what else it kept.
struct Hypothesis {
  std::vector<int64_t> tokens;         // EOS included where it ended so
  std::vector<float> token_log_probs;  // one a token
  std::vector<int64_t> rows;           // token i was scored in row b * K + k of step i's [B, K, ...] output
  float log_prob = 0;                  // the sum of token_log_probs, in float32 and in their order
  double score = 0;                    // log_prob / tokens.size() ** length_penalty
};

}  // namespace seq2seq_kit
