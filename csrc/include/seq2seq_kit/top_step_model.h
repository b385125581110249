// A step model that can do without [B, K, V] scores where a search asks for no more than the best of them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "seq2seq_kit/step_model.h"

namespace seq2seq_kit {

/// What a step is asked for in the place of all scores.
struct TopRequest {
  int64_t count = 0;            // of the best tokens of each row
  std::vector<int64_t> asked;   // tokens whose logits are needed whatever they are
  std::vector<int64_t> barred;  // ascending: tokens whose logits count as -inf
};

/// What a step gives of each of the B * K rows of logits.
struct TopScores {
  int64_t count = 0;            // as asked for, or V where that is less
  std::vector<float> scores;    // [rows, count]: the greatest logits, descending; ties to the lower token
  std::vector<int64_t> tokens;  // [rows, count]: theirs
  std::vector<float> log_sums;  // [rows]: log(sum(exp)) of all logits; NaN where one is NaN or +inf, barred or not
  std::vector<float> asked;     // [rows, asked for]: the logits of certain tokens
  at::Tensor attention;         // [B, K, S'], or undefined
};

/// Optional: the search uses it while no option needs whole rows.
class TopStepModel : public StepModel {
 public:
  virtual int64_t vocab() const = 0;

  /// As `step`, but for what it gives.
  virtual TopScores step_top(const at::Tensor& tokens, const at::Tensor& position, const TopRequest& request) = 0;
};

}  // namespace seq2seq_kit
