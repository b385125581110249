#include "bindings/python_step.h"

#include <torch/csrc/autograd/python_variable.h>
#include <torch/csrc/utils/pybind.h>

#include <string>

#include "seq2seq_kit/errors.h"

namespace py = pybind11;

namespace seq2seq_kit {

std::string type_name(const py::handle& object) {
  return py::str(py::type::handle_of(object).attr("__name__")).cast<std::string>();
}

at::Tensor read_tensor(const std::string& what, const py::handle& object) {
  if (!THPVariable_Check(object.ptr())) throw SearchError(what + " is a " + type_name(object) + ", expected a Tensor");
  return THPVariable_Unpack(object.ptr());
}

NamedTensors read_tensors(const std::string& what, const py::handle& object) {
  if (!py::isinstance<py::dict>(object)) {
    throw SearchError(what + " is a " + type_name(object) + ", expected a dict of tensors");
  }
  NamedTensors tensors;
  for (const auto& [key, value] : py::reinterpret_borrow<py::dict>(object)) {
    const auto name = py::str(key).cast<std::string>();
    tensors.emplace_back(name, read_tensor(what + "['" + name + "']", value));
  }
  return tensors;
}

namespace {

py::dict to_dict(const NamedTensors& tensors) {
  py::dict dict;
  for (const auto& [name, tensor] : tensors) dict[py::str(name)] = tensor;
  return dict;
}

}  // namespace

py::object to_python(const DecoderState& state) {
  const auto decoder_state = py::module_::import("seq2seq_kit.interfaces").attr("DecoderState");
  py::object shown = decoder_state(to_dict(state.rows), to_dict(state.history), to_dict(state.sentences));
  if (state.padded) shown.attr("padded") = true;
  return shown;
}

ScoreKind read_kind(const py::handle& kind) {
  if (py::isinstance<py::str>(kind)) {
    const auto name = kind.cast<std::string>();
    if (name == "logits") return ScoreKind::logits;
    if (name == "log_probs") return ScoreKind::log_probs;
  }
  throw SearchError("the kind of scores is " + py::repr(kind).cast<std::string>() +
                    ", expected 'logits' or 'log_probs'");
}

DecoderState read_state(const py::object& state) {
  return {read_tensors("state.rows", state.attr("rows")), read_tensors("state.history", state.attr("history")),
          read_tensors("state.sentences", state.attr("sentences"))};
}

PythonStep::PythonStep(py::object step) : step_(std::move(step)) {
  const auto interfaces = py::module_::import("seq2seq_kit.interfaces");
  step_output_ = interfaces.attr("StepOutput");
}

StepOutput PythonStep::operator()(const at::Tensor& tokens, const at::Tensor& position,
                                  const DecoderState& state) const {
  py::gil_scoped_acquire gil;
  const py::object output = step_(tokens, position, to_python(state));

  if (THPVariable_Check(output.ptr())) return {{read_tensor("scores", output), ScoreKind::logits, {}}, {}, {}};
  if (!py::isinstance(output, step_output_)) {
    throw SearchError("the step returned a " + type_name(output) + ", expected a StepOutput (or a Tensor of logits)");
  }
  const py::object attention = output.attr("attention");
  return {{read_tensor("the step's scores", output.attr("scores")), read_kind(output.attr("kind")),
           attention.is_none() ? at::Tensor() : read_tensor("the step's attention", attention)},
          read_tensors("the step's rows", output.attr("rows")),
          read_tensors("the step's new_history", output.attr("new_history"))};
}

}  // namespace seq2seq_kit
