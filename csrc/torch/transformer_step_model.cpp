#include "torch/transformer_step_model.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <utility>

#include "seq2seq_kit/errors.h"

namespace seq2seq_kit {
namespace {

std::shared_ptr<const transformer::Source> read_source(const transformer::Weights& weights, const at::Tensor& states,
                                                       const at::Tensor& mask) {
  const auto& attention = weights.layers.front().source_attention;
  if (!attention) return nullptr;
  if (!states.defined()) throw SearchError("this decoder looks up a source, and is given no memory");
  const int64_t size = attention->key_value.inputs();
  if (states.dim() != 3 || states.size(2) != size) {
    throw SearchError("the memory's states have shape " + to_string(states.sizes()) + ", expected [B, S, " +
                      std::to_string(size) + "]");
  }
  if (mask.sizes() != states.sizes().slice(0, 2) || mask.scalar_type() != at::kBool) {
    throw SearchError("the memory's mask has shape " + to_string(mask.sizes()) + ", expected bool " +
                      to_string(states.sizes().slice(0, 2)) + " = [B, S]");
  }
  const at::Tensor rows = states.to(at::kCPU, at::kFloat).contiguous(), real = mask.to(at::kCPU).contiguous();
  const std::span<const bool> marks(real.const_data_ptr<bool>(), real.numel());
  return std::make_shared<transformer::Source>(weights, rows.const_data_ptr<float>(), marks, states.size(0));
}

}  // namespace

TransformerStepModel::TransformerStepModel(std::shared_ptr<const transformer::Weights> weights,
                                           std::shared_ptr<const transformer::Source> source, bool attention_wanted)
    : weights_(std::move(weights)),
      source_(std::move(source)),
      attention_wanted_(attention_wanted && source_),
      decoder_(weights_, source_) {}

void TransformerStepModel::init(int64_t batch, int64_t /*max_beams*/) {
  if (source_ && source_->batch() != batch) {
    throw SearchError("the memory has " + std::to_string(source_->batch()) + " sentences, the search " +
                      std::to_string(batch));
  }
  beams_ = 1;
  decoder_.start(batch);
}

StepScores TransformerStepModel::step(const at::Tensor& tokens, const at::Tensor& /*position*/) {
  const int64_t batch = tokens.size(0), beams = tokens.size(1);
  const int64_t size = batch * beams * weights_->vocab();
  if (!scores_.defined() || scores_.numel() < size || scores_.storage().use_count() > 1) {
    scores_ = at::empty({size}, at::kFloat);
  }
  at::Tensor attention;
  if (attention_wanted_) attention = at::zeros({batch, beams, source_->width()}, at::kFloat);
  const at::Tensor given = tokens.contiguous();
  decoder_.step({given.const_data_ptr<int64_t>(), static_cast<size_t>(given.numel())}, at::get_num_threads(),
                scores_.mutable_data_ptr<float>(), attention.defined() ? attention.mutable_data_ptr<float>() : nullptr);
  return {scores_.narrow(0, 0, size).view({batch, beams, weights_->vocab()}), ScoreKind::logits, attention};
}

void TransformerStepModel::select(const Selection& selection) {
  decoder_.select(selection.survivors, selection.rows(beams_), selection.beams);
  beams_ = selection.beams;
}

TransformerStep::TransformerStep(std::shared_ptr<const transformer::Weights> weights, const at::Tensor& states,
                                 const at::Tensor& mask, bool attention_wanted)
    : weights_(std::move(weights)),
      source_(read_source(*weights_, states, mask)),
      attention_wanted_(attention_wanted) {}

std::unique_ptr<StepModel> TransformerStep::begin() const {
  return std::make_unique<TransformerStepModel>(weights_, source_, attention_wanted_);
}

}  // namespace seq2seq_kit
