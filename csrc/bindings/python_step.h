// A Python step as the engine calls it.
#pragma once

#include <pybind11/pybind11.h>

#include "torch/python_step_model.h"

namespace seq2seq_kit {

/// The tensors of a `seq2seq_kit.interfaces.DecoderState`. The GIL is held by the caller.
DecoderState read_state(const pybind11::object& state);

/// "logits" or "log_probs". The GIL is held by the caller.
ScoreKind read_kind(const pybind11::handle& kind);

/// Calls a Python step; takes the GIL for the call alone. An exception raised in it passes through as it is. Made and
/// destroyed with the GIL held.
class PythonStep {
 public:
  explicit PythonStep(pybind11::object step);

  StepOutput operator()(const at::Tensor& tokens, const at::Tensor& position, const DecoderState& state) const;

 private:
  pybind11::object step_;
  pybind11::object decoder_state_;  // the class seq2seq_kit.interfaces.DecoderState
  pybind11::object step_output_;    // the class seq2seq_kit.interfaces.StepOutput
};

}  // namespace seq2seq_kit
