#include "bindings/function_steps.h"

#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <memory>
#include <string>
#include <vector>

#include "bindings/python_step.h"
#include "torch/compiled_step.h"
#include "torch/operator_step.h"

namespace py = pybind11;

namespace seq2seq_kit {
namespace {

/// The step of a batch by a torch operator; `state` is the decoder's before the first step.
std::shared_ptr<NativeStep> begin_operator(const std::string& name, const py::object& state, const py::object& kind,
                                           const std::vector<at::Tensor>& params) {
  return std::make_shared<FunctionStep>(operator_step(name, read_kind(kind), params), read_state(state));
}

/// A step that was compiled ahead of time, loaded once for all batches. The GIL is held: packages are loaded one at a
/// time.
class CompiledStep {
 public:
  CompiledStep(const std::string& path, const py::object& kind, size_t runners)
      : step_(compiled_step(path, read_kind(kind), runners)) {}

  std::shared_ptr<NativeStep> begin(const py::object& state) const {
    return std::make_shared<FunctionStep>(step_, contiguous(read_state(state)));
  }

 private:
  StepFunction step_;
};

}  // namespace

void bind_function_steps(py::module_& module) {
  module.def("operator_step", &begin_operator, py::arg("name"), py::arg("state"), py::arg("kind"), py::arg("params"));
  py::class_<CompiledStep>(module, "CompiledStep")
      .def(py::init<const std::string&, const py::object&, size_t>(), py::arg("path"), py::arg("kind"),
           py::arg("runners"))
      .def("begin", &CompiledStep::begin, py::arg("state"));
}

}  // namespace seq2seq_kit
