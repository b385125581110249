#include "bindings/training.h"

#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include "torch/training/attention.h"
#include "torch/training/cross_entropy.h"
#include "torch/training/residual.h"

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
  py::class_<ResidualOptions>(module, "ResidualOptions")
      .def(py::init<std::optional<at::Tensor>, std::optional<at::Tensor>, double, double, int64_t>(), py::arg("weight"),
           py::arg("bias"), py::arg("epsilon"), py::arg("probability"), py::arg("seed"));
  module.def("residual", &residual, py::arg("x"), py::arg("y"), py::arg("options"), released);
  module.def("residual_backward", &residual_backward, py::arg("slope"), py::arg("sums"), py::arg("moments"),
             py::arg("y_type"), py::arg("options"), released);
}

}  // namespace seq2seq_kit
