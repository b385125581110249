// What native steppers are made of: a decoder's weights by name.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/kernels/packed_matrix.h"
#include "torch/tensors.h"

namespace seq2seq_kit {

/// Float32 tensors on the CPU, by name; throws a SearchError for others, and where one is missing.
class WeightReader {
 public:
  /// `precision`, of matrices: "fp32", "bf16" or "int8".
  WeightReader(const NamedTensors& tensors, const std::string& precision);

  bool has(const std::string& name) const { return tensors_.count(name) > 0; }
  const at::Tensor& tensor(const std::string& name) const;

  /// Empty where there is none.
  std::vector<float> numbers(const std::string& name) const;

  /// `name`.weight [outputs, inputs], and `name`.bias [outputs] where there is one.
  kernels::PackedMatrix matrix(const std::string& name) const;
  std::optional<kernels::PackedMatrix> optional_matrix(const std::string& name) const;

 private:
  kernels::Precision precision_;
  std::map<std::string, at::Tensor> tensors_;
};

}  // namespace seq2seq_kit
