#pragma once

#include <memory>
#include <vector>

#include "seq2seq_kit/step_model.h"

namespace seq2seq_kit {

/// How the members of an ensemble become one distribution.
enum class Combination {
  linear,      // log(sum of weight * p): a mixture; the weights add up to 1
  log_linear,  // sum of weight * log p, not normalised again: products of experts, shallow fusion with a language model
};

/// Unlike models that share a target vocabulary, searched as one. Attention is that of the first member.
class EnsembleStepModel : public StepModel {
 public:
  /// One weight a member, not negative; of `linear` they are normalised.
  EnsembleStepModel(std::vector<std::unique_ptr<StepModel>> members, std::vector<double> weights,
                    Combination combination);

  void init(int64_t batch, int64_t max_beams) override;
  StepScores step(const at::Tensor& tokens, const at::Tensor& position) override;
  void select(const Selection& selection) override;
  at::Device device() const override { return members_.front()->device(); }

 private:
  std::vector<std::unique_ptr<StepModel>> members_;
  std::vector<double> weights_;
  Combination combination_;
};

}  // namespace seq2seq_kit
