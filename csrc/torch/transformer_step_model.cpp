#include "torch/transformer_step_model.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
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

std::span<const int64_t> numbers(const at::Tensor& tokens) {
  return {tokens.const_data_ptr<int64_t>(), static_cast<size_t>(tokens.numel())};
}

float* data(const at::Tensor& attention) { return attention.defined() ? attention.mutable_data_ptr<float>() : nullptr; }

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
  const int64_t size = tokens.numel() * vocab();
  if (!scores_.defined() || scores_.numel() < size || scores_.storage().use_count() > 1) {
    scores_ = at::empty({size}, at::kFloat);
  }
  at::Tensor attention = no_attention(tokens);
  const at::Tensor given = tokens.contiguous();
  decoder_.step(numbers(given), at::get_num_threads(), scores_.mutable_data_ptr<float>(), data(attention));
  return {scores_.narrow(0, 0, size).view({tokens.size(0), tokens.size(1), vocab()}), ScoreKind::logits, attention};
}

TopScores TransformerStepModel::step_top(const at::Tensor& tokens, const at::Tensor& /*position*/, int64_t count,
                                         const std::vector<int64_t>& asked) {
  const int64_t rows = tokens.numel();
  TopScores top;
  top.count = std::min(count, vocab());
  top.scores.resize(rows * top.count);
  top.tokens.resize(rows * top.count);
  top.log_sums.resize(rows);
  top.asked.resize(rows * asked.size());
  top.attention = no_attention(tokens);
  const at::Tensor given = tokens.contiguous();
  decoder_.step_top(numbers(given), at::get_num_threads(),
                    {top.count, top.scores.data(), top.tokens.data(), top.log_sums.data(), asked, top.asked.data()},
                    data(top.attention));
  return top;
}

at::Tensor TransformerStepModel::no_attention(const at::Tensor& tokens) const {
  if (!attention_wanted_) return {};
  return at::zeros({tokens.size(0), tokens.size(1), source_->width()}, at::kFloat);
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
