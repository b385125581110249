#include "torch/ensemble_step_model.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numeric>
#include <string>

#include "seq2seq_kit/errors.h"

namespace seq2seq_kit {

EnsembleStepModel::EnsembleStepModel(std::vector<std::unique_ptr<StepModel>> members, std::vector<double> weights,
                                     Combination combination)
    : members_(std::move(members)), weights_(std::move(weights)), combination_(combination) {
  if (members_.empty()) throw SearchError("an ensemble needs at least one member");
  if (weights_.size() != members_.size()) {
    throw SearchError("an ensemble of " + std::to_string(members_.size()) + " members has " +
                      std::to_string(weights_.size()) + " weights");
  }
  for (const double weight : weights_) {
    if (!std::isfinite(weight) || weight < 0) {
      throw SearchError("an ensemble's weight is " + std::to_string(weight) + ": must be finite and at least 0");
    }
  }
  const double total = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  if (!(total > 0)) throw SearchError("an ensemble's weights are all 0");
  if (combination_ == Combination::linear) {
    for (double& weight : weights_) weight /= total;
  }
}

void EnsembleStepModel::init(int64_t batch, int64_t max_beams) {
  for (const auto& member : members_) member->init(batch, max_beams);
}

StepScores EnsembleStepModel::step(const at::Tensor& tokens, const at::Tensor& position) {
  at::Tensor combined, attention;
  for (size_t i = 0; i < members_.size(); ++i) {
    const at::Device device = members_[i]->device();
    const StepScores own = members_[i]->step(tokens.to(device), position.to(device));
    if (i == 0) attention = own.attention;
    at::Tensor log_probs = own.kind == ScoreKind::logits ? at::log_softmax(own.scores, -1, at::kFloat)
                                                         : own.scores.to(at::kFloat);  // [B, K, V]
    log_probs = log_probs.to(members_.front()->device());
    if (combined.defined() && combined.sizes() != log_probs.sizes()) {
      throw SearchError("member " + std::to_string(i) + " of an ensemble scores " + std::to_string(log_probs.size(2)) +
                        " tokens and member 0 " + std::to_string(combined.size(2)) +
                        ": they must share a target vocabulary");
    }
    if (combination_ == Combination::linear) {
      const at::Tensor weighted = log_probs + std::log(weights_[i]);
      combined = combined.defined() ? at::logaddexp(combined, weighted) : weighted;
    } else if (weights_[i] > 0) {  // 0 times minus infinity would be NaN
      const at::Tensor weighted = log_probs * weights_[i];
      combined = combined.defined() ? combined + weighted : weighted;
    } else if (!combined.defined()) {
      combined = at::zeros_like(log_probs);
    }
  }
  return {combined, ScoreKind::log_probs, attention};
}

void EnsembleStepModel::select(const Selection& selection) {
  for (const auto& member : members_) member->select(selection);
}

}  // namespace seq2seq_kit
