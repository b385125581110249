#include "torch/weight_reader.h"

#include <ATen/ATen.h>

#include "seq2seq_kit/errors.h"

namespace seq2seq_kit {
namespace {

using kernels::PackedMatrix;
using kernels::Precision;

Precision parse_precision(const std::string& name) {
  if (name == "fp32") return Precision::fp32;
  if (name == "bf16") return Precision::bf16;
  if (name == "int8") return Precision::int8;
  throw SearchError("precision = '" + name + "': must be 'fp32', 'bf16' or 'int8'");
}

}  // namespace

WeightReader::WeightReader(const NamedTensors& tensors, const std::string& precision)
    : precision_(parse_precision(precision)) {
  for (const auto& [name, tensor] : tensors) {
    if (tensor.scalar_type() != at::kFloat || !tensor.is_cpu()) {
      throw SearchError("weight '" + name + "' must be float32 on the CPU");
    }
    tensors_.emplace(name, tensor.contiguous());
  }
}

const at::Tensor& WeightReader::tensor(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw SearchError("there is no weight '" + name + "'");
  return found->second;
}

std::vector<float> WeightReader::numbers(const std::string& name) const {
  if (!has(name)) return {};
  const at::Tensor& given = tensor(name);
  return {given.const_data_ptr<float>(), given.const_data_ptr<float>() + given.numel()};
}

PackedMatrix WeightReader::matrix(const std::string& name) const {
  const at::Tensor& weight = tensor(name + ".weight");
  if (weight.dim() != 2) throw SearchError("weight '" + name + ".weight' must have two dimensions");
  const float* bias = nullptr;
  if (has(name + ".bias")) {
    if (tensor(name + ".bias").numel() != weight.size(0)) throw SearchError("'" + name + ".bias' has a wrong size");
    bias = tensor(name + ".bias").const_data_ptr<float>();
  }
  return {weight.const_data_ptr<float>(), bias, weight.size(0), weight.size(1), precision_};
}

std::optional<PackedMatrix> WeightReader::optional_matrix(const std::string& name) const {
  if (!has(name + ".weight")) return std::nullopt;
  return matrix(name);
}

}  // namespace seq2seq_kit
