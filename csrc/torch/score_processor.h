// A caller's own processor: changes the scores of a whole batch once a time step.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "torch/state.h"

namespace seq2seq_kit {

/// What a processor gives back (`seq2seq_kit.interfaces.ProcessorOutput`): new scores, or values to be added to some.
struct ProcessorOutput {
  at::Tensor scores;                // [B, K, V], or undefined
  at::Tensor rows, tokens, values;  // [N] each, or undefined: `values` are added at row b * K + k and token
  NamedTensors state;               // [B, K, ...], the names of the state's rows
};

/// Calls a processor and keeps its state for it, as a decoder's. The callable is all it knows of Python.
class ScoreProcessor {
 public:
  using Apply =
      std::function<ProcessorOutput(const at::Tensor& scores, const at::Tensor& tokens, const DecoderState& state)>;

  /// Without `needs_scores` the callable is given an undefined tensor.
  ScoreProcessor(std::string name, Apply apply, DecoderState state, bool needs_scores);

  /// Checks the initial state of `batch` sentences of one slot each.
  void init(int64_t batch);

  bool needs_scores() const { return needs_scores_; }

  /// `scores` [B, K, V] float32 after the built-in options; `tokens` [B, K, 1 + t] int64, BOS first. Returns the new
  /// scores.
  at::Tensor apply(const at::Tensor& scores, const at::Tensor& tokens);

  void select(const Selection& selection);

 private:
  std::string name_;
  Apply apply_;
  DecoderState state_;
  bool needs_scores_;
  int64_t batch_ = 0;
  int64_t beams_ = 1;
};

using ScoreProcessors = std::vector<std::unique_ptr<ScoreProcessor>>;

/// A processor that is a torch operator, by name: `(Tensor scores, Tensor tokens, Tensor[] rows, Tensor[] sentences) ->
/// (Tensor scores, Tensor[] rows)`. Throws a SearchError where there is no such operator.
ScoreProcessor::Apply operator_processor(const std::string& name);

}  // namespace seq2seq_kit
