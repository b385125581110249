#include "bindings/kernels.h"

#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "core/kernels/isa.h"
#include "core/kernels/packed_matrix.h"
#include "seq2seq_kit/errors.h"
#include "torch/tensors.h"
#include "torch/weight_reader.h"

namespace py = pybind11;

namespace seq2seq_kit {
namespace {

using kernels::Isa;
using kernels::PackedMatrix;

constexpr const char* kIsas[] = {"portable", "avx2", "avx512", "avx512_vnni", "avx512_bf16"};  // as the enumeration

std::vector<std::string> isas() { return {kIsas, kIsas + static_cast<int>(kernels::best_isa()) + 1}; }

void use_isa(const std::string& name) {
  const auto known = isas();
  const auto found = std::find(known.begin(), known.end(), name);
  if (found == known.end()) throw SearchError("this processor has no instruction set '" + name + "'");
  kernels::use_isa(static_cast<Isa>(found - known.begin()));
}

std::unique_ptr<PackedMatrix> pack(const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                                   const std::string& precision) {
  NamedTensors tensors{{"matrix.weight", weight}};
  if (bias) tensors.emplace_back("matrix.bias", *bias);
  return std::make_unique<PackedMatrix>(WeightReader(tensors, precision).matrix("matrix"));
}

at::Tensor inputs(const PackedMatrix& matrix, const at::Tensor& x) {
  if (x.dim() != 2 || x.size(1) != matrix.inputs() || x.scalar_type() != at::kFloat || !x.is_cpu()) {
    throw SearchError("the inputs must be float32 on the CPU of shape [rows, " + std::to_string(matrix.inputs()) + "]");
  }
  return x.contiguous();
}

at::Tensor multiply(const PackedMatrix& matrix, const at::Tensor& x) {
  const at::Tensor given = inputs(matrix, x);
  at::Tensor out = at::empty({x.size(0), matrix.outputs()}, at::kFloat);
  kernels::multiply(matrix, given.const_data_ptr<float>(), x.size(0), x.size(1), out.mutable_data_ptr<float>(),
                    matrix.outputs());
  return out;
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> multiply_top(const PackedMatrix& matrix, const at::Tensor& x,
                                                            int64_t count) {
  if (count < 0 || count > matrix.outputs()) {
    throw SearchError("count is " + std::to_string(count) + ", and there are " + std::to_string(matrix.outputs()) +
                      " outputs");
  }
  const at::Tensor given = inputs(matrix, x);
  at::Tensor scores = at::empty({x.size(0), count}, at::kFloat), sums = at::empty({x.size(0)}, at::kFloat);
  at::Tensor tokens = at::empty({x.size(0), count}, at::kLong);
  kernels::multiply_top(matrix, given.const_data_ptr<float>(), x.size(0), x.size(1), count,
                        scores.mutable_data_ptr<float>(), tokens.mutable_data_ptr<int64_t>(),
                        sums.mutable_data_ptr<float>());
  return {scores, tokens, sums};
}

}  // namespace

void bind_kernels(py::module_& module) {
  const py::call_guard<py::gil_scoped_release> released;
  module.def("isas", &isas);
  module.def("use_isa", &use_isa, py::arg("name"));
  py::class_<PackedMatrix>(module, "PackedMatrix")
      .def(py::init(&pack), py::arg("weight"), py::arg("bias"), py::arg("precision"), released)
      .def("multiply", &multiply, py::arg("x"), released)
      .def("multiply_top", &multiply_top, py::arg("x"), py::arg("count"), released)
      .def_property_readonly("bytes", &PackedMatrix::bytes);
}

}  // namespace seq2seq_kit
