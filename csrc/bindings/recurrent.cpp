#include "bindings/recurrent.h"

#include <torch/csrc/utils/pybind.h>

#include <memory>
#include <optional>
#include <string>

#include "bindings/python_step.h"
#include "torch/recurrent_encoder.h"
#include "torch/recurrent_step.h"

namespace py = pybind11;

namespace seq2seq_kit {
namespace {

std::shared_ptr<recurrent::Weights> read_weights(const RecurrentOptions& options, const py::dict& tensors) {
  const NamedTensors named = read_tensors("the weights", tensors);
  py::gil_scoped_release released;
  return read_recurrent(options, named);
}

std::shared_ptr<NativeStep> begin(const std::shared_ptr<recurrent::Weights>& weights,
                                  const std::optional<at::Tensor>& states, const std::optional<at::Tensor>& mask,
                                  const py::dict& final, bool attention_wanted) {
  const NamedTensors named = read_tensors("the memory's final state", final);
  py::gil_scoped_release released;
  return std::make_shared<RecurrentStep>(weights, states.value_or(at::Tensor()), mask.value_or(at::Tensor()), named,
                                         attention_wanted);
}

std::shared_ptr<recurrent::EncoderWeights> read_encoder_weights(const std::string& cell, int64_t layers,
                                                                int64_t directions, const std::string& precision,
                                                                const py::dict& tensors) {
  const NamedTensors named = read_tensors("the weights", tensors);
  py::gil_scoped_release released;
  return read_recurrent_encoder(cell, layers, directions, precision, named);
}

}  // namespace

void bind_recurrent(py::module_& module) {
  py::class_<RecurrentOptions>(module, "RecurrentOptions")
      .def(py::init<>())
      .def_readwrite("cell", &RecurrentOptions::cell)
      .def_readwrite("layers", &RecurrentOptions::layers)
      .def_readwrite("embedding_scale", &RecurrentOptions::embedding_scale)
      .def_readwrite("memory_size", &RecurrentOptions::memory_size)
      .def_readwrite("start_h", &RecurrentOptions::start_h)
      .def_readwrite("start_c", &RecurrentOptions::start_c)
      .def_readwrite("attends", &RecurrentOptions::attends)
      .def_readwrite("heads", &RecurrentOptions::heads)
      .def_readwrite("scale", &RecurrentOptions::scale)
      .def_readwrite("query_before", &RecurrentOptions::query_before)
      .def_readwrite("input_feeding", &RecurrentOptions::input_feeding)
      .def_readwrite("precision", &RecurrentOptions::precision);

  py::class_<recurrent::Weights, std::shared_ptr<recurrent::Weights>>(module, "RecurrentWeights")
      .def(py::init(&read_weights), py::arg("options"), py::arg("tensors"))
      .def("step", &begin, py::arg("states"), py::arg("mask"), py::arg("final"), py::arg("attention_wanted"));

  py::class_<recurrent::EncoderWeights, std::shared_ptr<recurrent::EncoderWeights>>(module, "RecurrentEncoderWeights")
      .def(py::init(&read_encoder_weights), py::arg("cell"), py::arg("layers"), py::arg("directions"),
           py::arg("precision"), py::arg("tensors"))
      .def(
          "encode",
          [](const recurrent::EncoderWeights& weights, const at::Tensor& read, const at::Tensor& mask) {
            return encode(weights, read, mask);
          },
          py::arg("read"), py::arg("mask"), py::call_guard<py::gil_scoped_release>());
}

}  // namespace seq2seq_kit
