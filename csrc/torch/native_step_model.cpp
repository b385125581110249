#include "torch/native_step_model.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "seq2seq_kit/errors.h"

namespace seq2seq_kit {
namespace {

std::span<const int64_t> numbers(const at::Tensor& tokens) {
  return {tokens.const_data_ptr<int64_t>(), static_cast<size_t>(tokens.numel())};
}

float* data(const at::Tensor& attention) { return attention.defined() ? attention.mutable_data_ptr<float>() : nullptr; }

}  // namespace

NativeStepModel::NativeStepModel(std::unique_ptr<BatchDecoder> decoder, std::optional<int64_t> batch,
                                 std::optional<int64_t> width)
    : decoder_(std::move(decoder)), batch_(batch), width_(width) {}

void NativeStepModel::init(int64_t batch, int64_t /*max_beams*/) {
  if (batch_ && *batch_ != batch) {
    throw SearchError("the memory has " + std::to_string(*batch_) + " sentences, the search " + std::to_string(batch));
  }
  beams_ = 1;
  decoder_->start(batch);
}

StepScores NativeStepModel::step(const at::Tensor& tokens, const at::Tensor& /*position*/) {
  const int64_t size = tokens.numel() * vocab();
  if (!scores_.defined() || scores_.numel() < size || scores_.storage().use_count() > 1) {
    scores_ = at::empty({size}, at::kFloat);
  }
  at::Tensor attention = no_attention(tokens);
  const at::Tensor given = tokens.contiguous();
  decoder_->step(numbers(given), at::get_num_threads(), scores_.mutable_data_ptr<float>(), data(attention));
  return {scores_.narrow(0, 0, size).view({tokens.size(0), tokens.size(1), vocab()}), ScoreKind::logits, attention};
}

TopScores NativeStepModel::step_top(const at::Tensor& tokens, const at::Tensor& /*position*/,
                                    const TopRequest& request) {
  const int64_t rows = tokens.numel();
  TopScores top;
  top.count = std::min(request.count, vocab());
  top.scores.resize(rows * top.count);
  top.tokens.resize(rows * top.count);
  top.log_sums.resize(rows);
  top.asked.resize(rows * request.asked.size());
  top.attention = no_attention(tokens);
  const at::Tensor given = tokens.contiguous();
  decoder_->step_top(numbers(given), at::get_num_threads(),
                     {top.count, top.scores.data(), top.tokens.data(), top.log_sums.data(), request.asked,
                      top.asked.data(), request.barred},
                     data(top.attention));
  return top;
}

at::Tensor NativeStepModel::no_attention(const at::Tensor& tokens) const {
  if (!width_) return {};
  return at::zeros({tokens.size(0), tokens.size(1), *width_}, at::kFloat);
}

void NativeStepModel::select(const Selection& selection) {
  decoder_->select(selection.survivors, selection.rows(beams_), selection.beams);
  beams_ = selection.beams;
}

}  // namespace seq2seq_kit
