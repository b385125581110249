#include "bindings/native_steps.h"

#include <torch/csrc/utils/pybind.h>

#include <memory>
#include <optional>
#include <string>

#include "bindings/python_step.h"
#include "seq2seq_kit/errors.h"
#include "seq2seq_kit/python.h"
#include "torch/transformer_encoder.h"
#include "torch/transformer_step.h"

namespace py = pybind11;

namespace seq2seq_kit {
namespace {

std::shared_ptr<transformer::Weights> read_weights(const TransformerOptions& options, const py::dict& tensors) {
  const NamedTensors named = read_tensors("the weights", tensors);
  py::gil_scoped_release released;
  return read_transformer(options, named);
}

std::shared_ptr<transformer::EncoderWeights> read_encoder_weights(const TransformerOptions& options,
                                                                  const py::dict& tensors) {
  const NamedTensors named = read_tensors("the weights", tensors);
  py::gil_scoped_release released;
  return read_encoder(options, named);
}

std::shared_ptr<NativeStep> begin(const std::shared_ptr<transformer::Weights>& weights,
                                  const std::optional<at::Tensor>& states, const std::optional<at::Tensor>& mask,
                                  bool attention_wanted) {
  py::gil_scoped_release released;
  return std::make_shared<TransformerStep>(weights, states.value_or(at::Tensor()), mask.value_or(at::Tensor()),
                                           attention_wanted);
}

/// The step of a third party's compiled code: see seq2seq_kit/python.h.
std::shared_ptr<NativeStep> read_capsule(const py::capsule& capsule) {
  const std::string name = capsule.name() ? capsule.name() : "";
  if (name != SEQ2SEQ_KIT_CAPSULE) {
    throw SearchError("the capsule is '" + name +
                      "', expected '" SEQ2SEQ_KIT_CAPSULE
                      "': compile the plugin again, against the seq2seq_kit and the torch that are installed");
  }
  return *capsule.get_pointer<std::shared_ptr<NativeStep>>();
}

}  // namespace

void bind_native_steps(py::module_& module) {
  py::class_<NativeStep, std::shared_ptr<NativeStep>>(module, "NativeStep")
      .def(py::init(&read_capsule), py::arg("capsule"));

  py::class_<TransformerOptions>(module, "TransformerOptions")
      .def(py::init<>())
      .def_readwrite("layers", &TransformerOptions::layers)
      .def_readwrite("heads", &TransformerOptions::heads)
      .def_readwrite("key_value_heads", &TransformerOptions::key_value_heads)
      .def_readwrite("source_heads", &TransformerOptions::source_heads)
      .def_readwrite("self_scale", &TransformerOptions::self_scale)
      .def_readwrite("source_scale", &TransformerOptions::source_scale)
      .def_readwrite("pre_norm", &TransformerOptions::pre_norm)
      .def_readwrite("norm_epsilon", &TransformerOptions::norm_epsilon)
      .def_readwrite("activation", &TransformerOptions::activation)
      .def_readwrite("embedding_scale", &TransformerOptions::embedding_scale)
      .def_readwrite("output_scale", &TransformerOptions::output_scale)
      .def_readwrite("position_offset", &TransformerOptions::position_offset)
      .def_readwrite("alignment_layer", &TransformerOptions::alignment_layer)
      .def_readwrite("precision", &TransformerOptions::precision);

  py::class_<transformer::Weights, std::shared_ptr<transformer::Weights>>(module, "TransformerWeights")
      .def(py::init(&read_weights), py::arg("options"), py::arg("tensors"))
      .def("step", &begin, py::arg("states"), py::arg("mask"), py::arg("attention_wanted"));

  py::class_<transformer::EncoderWeights, std::shared_ptr<transformer::EncoderWeights>>(module,
                                                                                        "TransformerEncoderWeights")
      .def(py::init(&read_encoder_weights), py::arg("options"), py::arg("tensors"))
      .def("encode", &encode, py::arg("read"), py::arg("mask"), py::call_guard<py::gil_scoped_release>());
}

}  // namespace seq2seq_kit
