#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace seq2seq_kit {

/// Why a hypothesis ended.
enum class Finish {
  eos,       // it wrote an end symbol
  length,    // it reached the limit
  stopped,   // the caller's stop criterion said so
  deadline,  // the search ran out of time: it had not ended
};

std::string_view to_string(Finish finish);

/// A token that might have come, and its log-probability.
struct TopToken {
  int64_t token;
  float log_prob;
};

/// A finished hypothesis. Torch-free: `rows` says where in each step's output a caller finds what else it kept.
struct Hypothesis {
  std::vector<int64_t> tokens;         // EOS included where it ended so
  std::vector<float> token_log_probs;  // one a token
  std::vector<int64_t> rows;           // token i was scored in row b * K + k of step i's [B, K, ...] output
  float log_prob = 0;                  // the sum of token_log_probs, in float32 and in their order
  double score = 0;                    // what hypotheses are ranked by
  Finish finish = Finish::eos;
  std::vector<int64_t> unmet;                     // the sentence's constraints that it does not meet, ascending
  std::vector<std::vector<TopToken>> top_tokens;  // at each step the likeliest, where asked for
};

}  // namespace seq2seq_kit
