#pragma once

#include <ATen/core/Tensor.h>

#include "seq2seq_kit/step_model.h"

namespace seq2seq_kit {

/// Looks its scores up by a hash of what a hypothesis has read: a step without Python that costs next to nothing, for
/// tests and for measuring the search itself. hash = 0 after BOS, then (5 * hash + token + 1) % P.
class TableStepModel : public StepModel {
 public:
  /// `table` [B, P, V] of scores.
  TableStepModel(at::Tensor table, ScoreKind kind);

  void init(int64_t batch, int64_t max_beams) override;
  StepScores step(const at::Tensor& tokens, const at::Tensor& position) override;
  void select(const Selection& selection) override;
  at::Device device() const override { return table_.device(); }

 private:
  at::Tensor table_;
  ScoreKind kind_;
  at::Tensor sentences_;  // [B, 1]
  at::Tensor hashes_;     // [B, K]
};

}  // namespace seq2seq_kit
