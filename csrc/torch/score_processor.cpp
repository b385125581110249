#include "torch/score_processor.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include "seq2seq_kit/errors.h"
#include "torch/check.h"

namespace seq2seq_kit {
namespace {

void check_sparse(const std::string& who, const ProcessorOutput& output, int64_t rows, int64_t vocab) {
  const int64_t count = output.rows.numel();
  for (const auto* tensor : {&output.rows, &output.tokens, &output.values}) {
    if (tensor->dim() == 1 && tensor->numel() == count) continue;
    throw SearchError(who + ": rows, tokens and values have shapes " + to_string(output.rows.sizes()) + ", " +
                      to_string(output.tokens.sizes()) + " and " + to_string(output.values.sizes()) +
                      ", expected [N] each");
  }
  const auto check_ids = [&](const char* what, const at::Tensor& ids, int64_t limit) {
    if (ids.scalar_type() != at::kLong) throw SearchError(who + ": " + what + " are not int64");
    if (count > 0 && (ids.min().item<int64_t>() < 0 || ids.max().item<int64_t>() >= limit)) {
      throw SearchError(who + ": " + what + " are between " + std::to_string(ids.min().item<int64_t>()) + " and " +
                        std::to_string(ids.max().item<int64_t>()) + ", expected 0 to " + std::to_string(limit - 1));
    }
  };
  check_ids("rows", output.rows, rows);
  check_ids("tokens", output.tokens, vocab);
}

}  // namespace

ScoreProcessor::ScoreProcessor(std::string name, Apply apply, DecoderState state, bool needs_scores)
    : name_(std::move(name)), apply_(std::move(apply)), state_(std::move(state)), needs_scores_(needs_scores) {}

void ScoreProcessor::init(int64_t batch) {
  if (!state_.history.empty()) {
    throw SearchError("processor '" + name_ + "': its state has history, which only decoders have");
  }
  check_initial_state(state_, batch, device_of(state_));
  batch_ = batch;
}

at::Tensor ScoreProcessor::apply(const at::Tensor& scores, const at::Tensor& tokens) {
  const std::string who = "processor '" + name_ + "'";
  ProcessorOutput output = apply_(needs_scores_ ? scores : at::Tensor(), tokens, state_);
  if (!output.state.empty() || !state_.rows.empty()) {
    check_rows(output.state, state_.rows);
    state_.rows = std::move(output.state);
  }
  if (output.scores.defined()) {
    if (output.scores.sizes() != scores.sizes()) {
      throw SearchError(who + " returned scores of shape " + to_string(output.scores.sizes()) + ", expected " +
                        to_string(scores.sizes()) + " = [B, K, V]");
    }
    return output.scores.to(scores.device(), at::kFloat);
  }
  if (!output.values.defined() || output.values.numel() == 0) return scores;
  const int64_t vocab = scores.size(2);
  check_sparse(who, output, scores.size(0) * scores.size(1), vocab);
  const at::Tensor places = (output.rows * vocab + output.tokens).to(scores.device());
  return scores.flatten().index_add(0, places, output.values.to(scores.device(), at::kFloat)).view(scores.sizes());
}

void ScoreProcessor::select(const Selection& selection) {
  if (!selection.is_identity(batch_, beams_)) seq2seq_kit::select(state_, selection, batch_, beams_);
  batch_ = static_cast<int64_t>(selection.survivors.size());
  beams_ = selection.beams;
}

ScoreProcessor::Apply operator_processor(const std::string& name) {
  const auto found = c10::Dispatcher::singleton().findSchema({name, ""});
  if (!found) throw SearchError("processor '" + name + "': torch has no operator of this name");
  const std::string expected =
      "(Tensor scores, Tensor tokens, Tensor[] rows, Tensor[] sentences) -> (Tensor, Tensor[])";
  const auto& schema = found->schema();
  if (schema.arguments().size() != 4 || schema.returns().size() != 2) {
    throw SearchError("processor '" + name + "': the operator is not of the form " + expected);
  }
  return [op = *found, name](const at::Tensor& scores, const at::Tensor& tokens, const DecoderState& state) {
    std::vector<at::Tensor> rows, sentences;
    for (const auto& [key, tensor] : state.rows) rows.push_back(tensor);
    for (const auto& [key, tensor] : state.sentences) sentences.push_back(tensor);
    torch::jit::Stack stack{scores, tokens, rows, sentences};
    op.callBoxed(stack);
    ProcessorOutput output;
    output.scores = stack.at(0).toTensor();
    const auto new_rows = stack.at(1).toTensorVector();
    if (new_rows.size() != state.rows.size()) {
      throw SearchError("processor '" + name + "' returned " + std::to_string(new_rows.size()) + " rows, expected " +
                        std::to_string(state.rows.size()));
    }
    for (size_t i = 0; i < new_rows.size(); ++i) output.state.emplace_back(state.rows[i].first, new_rows[i]);
    return output;
  };
}

}  // namespace seq2seq_kit
