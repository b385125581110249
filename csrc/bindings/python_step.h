// A Python step as the engine calls it.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <string>
#include <utility>

#include "torch/function_step_model.h"

namespace seq2seq_kit {

/// The name of an object's class, for messages.
std::string type_name(const pybind11::handle& object);

/// A tensor, or a dict of them; a SearchError that says what `what` is instead. The GIL is held by the caller.
at::Tensor read_tensor(const std::string& what, const pybind11::handle& object);
NamedTensors read_tensors(const std::string& what, const pybind11::handle& object);

/// A `seq2seq_kit.interfaces.DecoderState` of these tensors. The GIL is held by the caller.
pybind11::object to_python(const DecoderState& state);

/// The tensors of a `seq2seq_kit.interfaces.DecoderState`. The GIL is held by the caller.
DecoderState read_state(const pybind11::object& state);

/// "logits" or "log_probs". The GIL is held by the caller.
ScoreKind read_kind(const pybind11::handle& kind);

/// A Python object that std::function may copy without the GIL: only the shared pointer to it is copied.
template <typename Callable>
auto shared(Callable callable) {
  return [held = std::make_shared<Callable>(std::move(callable))](auto&&... arguments) {
    return (*held)(std::forward<decltype(arguments)>(arguments)...);
  };
}

/// Calls a Python step; takes the GIL for the call alone. An exception raised in it passes through as it is. Made and
/// destroyed with the GIL held.
class PythonStep {
 public:
  explicit PythonStep(pybind11::object step);

  StepOutput operator()(const at::Tensor& tokens, const at::Tensor& position, const DecoderState& state) const;

 private:
  pybind11::object step_;
  pybind11::object step_output_;  // the class seq2seq_kit.interfaces.StepOutput
};

}  // namespace seq2seq_kit
