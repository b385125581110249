#include "bindings/training.h"

#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include "torch/training/attention.h"
#include "torch/training/cross_entropy.h"

namespace py = pybind11;

namespace seq2seq_kit {

void bind_training(py::module_& module) {
  const py::call_guard<py::gil_scoped_release> released;
  module.def("cross_entropy", &cross_entropy, py::arg("scores"), py::arg("labels"), py::arg("real"),
             py::arg("on_label"), py::arg("others"), released);
  module.def("attend", &attend, py::arg("query"), py::arg("keys"), py::arg("values"), py::arg("bias"),
             py::arg("causal"), py::arg("scale"), released);
  module.def("attend_backward", &attend_backward, py::arg("slope"), py::arg("query"), py::arg("keys"),
             py::arg("values"), py::arg("bias"), py::arg("norms"), py::arg("causal"), py::arg("scale"), released);
}

}  // namespace seq2seq_kit
