// From tensors by name to the weights of the native Transformer.
#include <ATen/ATen.h>

#include <map>
#include <optional>
#include <utility>

#include "seq2seq_kit/errors.h"
#include "torch/transformer_step_model.h"

namespace seq2seq_kit {
namespace {

using kernels::Activation;
using kernels::PackedMatrix;
using kernels::Precision;

Activation parse_activation(const std::string& name) {
  if (name == "relu") return Activation::relu;
  if (name == "gelu") return Activation::gelu;
  if (name == "gelu_tanh") return Activation::gelu_tanh;
  if (name == "silu") return Activation::silu;
  throw SearchError("there is no native activation '" + name + "'");
}

Precision parse_precision(const std::string& name) {
  if (name == "fp32") return Precision::fp32;
  if (name == "bf16") return Precision::bf16;
  if (name == "int8") return Precision::int8;
  throw SearchError("precision = '" + name + "': must be 'fp32', 'bf16' or 'int8'");
}

/// Tensors by name, checked.
class Reader {
 public:
  Reader(const NamedTensors& tensors, Precision precision) : precision_(precision) {
    for (const auto& [name, tensor] : tensors) {
      if (tensor.scalar_type() != at::kFloat || !tensor.is_cpu()) {
        throw SearchError("weight '" + name + "' must be float32 on the CPU");
      }
      tensors_.emplace(name, tensor.contiguous());
    }
  }

  bool has(const std::string& name) const { return tensors_.count(name) > 0; }

  const at::Tensor& tensor(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) throw SearchError("there is no weight '" + name + "'");
    return found->second;
  }

  /// Empty where there is none.
  std::vector<float> numbers(const std::string& name) const {
    if (!has(name)) return {};
    const at::Tensor& given = tensor(name);
    return {given.const_data_ptr<float>(), given.const_data_ptr<float>() + given.numel()};
  }

  /// `name`.weight [outputs, inputs], and `name`.bias [outputs] where there is one.
  PackedMatrix matrix(const std::string& name) const {
    const at::Tensor& weight = tensor(name + ".weight");
    if (weight.dim() != 2) throw SearchError("weight '" + name + ".weight' must have two dimensions");
    const float* bias = nullptr;
    if (has(name + ".bias")) {
      if (tensor(name + ".bias").numel() != weight.size(0)) throw SearchError("'" + name + ".bias' has a wrong size");
      bias = tensor(name + ".bias").const_data_ptr<float>();
    }
    return {weight.const_data_ptr<float>(), bias, weight.size(0), weight.size(1), precision_};
  }

  std::optional<PackedMatrix> optional_matrix(const std::string& name) const {
    if (!has(name + ".weight")) return std::nullopt;
    return matrix(name);
  }

 private:
  Precision precision_;
  std::map<std::string, at::Tensor> tensors_;
};

std::optional<transformer::Norm> optional_norm(const Reader& reader, const TransformerOptions& options,
                                               const std::string& name) {
  if (!reader.has(name + ".weight")) return std::nullopt;
  return transformer::Norm{reader.numbers(name + ".weight"), reader.numbers(name + ".bias"),
                           static_cast<float>(options.norm_epsilon)};
}

transformer::Layer read_layer(const Reader& reader, const TransformerOptions& options, const std::string& name) {
  const auto norm = [&](const std::string& which) {
    const auto found = optional_norm(reader, options, name + which);
    if (!found) throw SearchError("there is no weight '" + name + which + ".weight'");
    return *found;
  };
  std::optional<transformer::Norm> source_norm;
  std::optional<transformer::SourceAttention> source_attention;
  if (options.source_heads > 0) {
    source_norm = norm("source_norm");
    source_attention = transformer::SourceAttention{
        options.source_heads, static_cast<float>(options.source_scale), reader.matrix(name + "source.query"),
        reader.matrix(name + "source.key_value"), reader.matrix(name + "source.out")};
  }
  return {norm("self_norm"),
          {options.heads, options.key_value_heads, static_cast<float>(options.self_scale),
           reader.matrix(name + "self.query_key_value"), reader.matrix(name + "self.out"),
           reader.numbers(name + "self.distance_keys"), reader.numbers(name + "self.distance_values")},
          std::move(source_norm),
          std::move(source_attention),
          norm("feed_forward_norm"),
          {parse_activation(options.activation), reader.optional_matrix(name + "feed_forward.gate"),
           reader.matrix(name + "feed_forward.hidden"), reader.matrix(name + "feed_forward.out")}};
}

}  // namespace

std::shared_ptr<transformer::Weights> read_transformer(const TransformerOptions& options, const NamedTensors& tensors) {
  const Reader reader(tensors, parse_precision(options.precision));
  std::vector<transformer::Layer> layers;
  for (int64_t i = 0; i < options.layers; ++i) {
    layers.push_back(read_layer(reader, options, "layers." + std::to_string(i) + "."));
  }
  const auto embedding = std::make_shared<at::Tensor>(reader.tensor("embedding"));
  return std::make_shared<transformer::Weights>(transformer::Weights{
      options.pre_norm,
      options.alignment_layer,
      {reader.numbers("positions.sinusoidal"), options.position_offset, reader.numbers("positions.learned"),
       reader.numbers("positions.rotary"), reader.numbers("positions.slopes"), reader.numbers("positions.biases")},
      static_cast<float>(options.embedding_scale),
      embedding->const_data_ptr<float>(),
      embedding,
      optional_norm(reader, options, "embedding_norm"),
      std::move(layers),
      optional_norm(reader, options, "norm"),
      static_cast<float>(options.output_scale),
      reader.matrix("output")});
}

}  // namespace seq2seq_kit
