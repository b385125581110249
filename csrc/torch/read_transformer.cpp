// From tensors by name to the weights of the native Transformer.
#include <ATen/ATen.h>

#include <optional>
#include <utility>

#include "seq2seq_kit/errors.h"
#include "torch/transformer_step.h"
#include "torch/weight_reader.h"

namespace seq2seq_kit {
namespace {

using kernels::Activation;

Activation parse_activation(const std::string& name) {
  if (name == "relu") return Activation::relu;
  if (name == "gelu") return Activation::gelu;
  if (name == "gelu_tanh") return Activation::gelu_tanh;
  if (name == "silu") return Activation::silu;
  throw SearchError("there is no native activation '" + name + "'");
}

std::optional<transformer::Norm> optional_norm(const WeightReader& reader, const TransformerOptions& options,
                                               const std::string& name) {
  if (!reader.has(name + ".weight")) return std::nullopt;
  return transformer::Norm{reader.numbers(name + ".weight"), reader.numbers(name + ".bias"),
                           static_cast<float>(options.norm_epsilon)};
}

transformer::Layer read_layer(const WeightReader& reader, const TransformerOptions& options, const std::string& name) {
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

std::vector<transformer::Layer> read_layers(const WeightReader& reader, const TransformerOptions& options) {
  std::vector<transformer::Layer> layers;
  for (int64_t i = 0; i < options.layers; ++i) {
    layers.push_back(read_layer(reader, options, "layers." + std::to_string(i) + "."));
  }
  return layers;
}

transformer::Positions read_positions(const WeightReader& reader, const TransformerOptions& options) {
  return {reader.numbers("positions.sinusoidal"), options.position_offset,
          reader.numbers("positions.learned"),    reader.numbers("positions.rotary"),
          reader.numbers("positions.slopes"),     reader.numbers("positions.biases")};
}

}  // namespace

std::shared_ptr<transformer::EncoderWeights> read_encoder(const TransformerOptions& options,
                                                          const NamedTensors& tensors) {
  const WeightReader reader(tensors, options.precision);
  return std::make_shared<transformer::EncoderWeights>(
      transformer::EncoderWeights{options.pre_norm, read_positions(reader, options), reader.optional_matrix("input"),
                                  optional_norm(reader, options, "embedding_norm"), read_layers(reader, options),
                                  optional_norm(reader, options, "norm")});
}

std::shared_ptr<transformer::Weights> read_transformer(const TransformerOptions& options, const NamedTensors& tensors) {
  const WeightReader reader(tensors, options.precision);
  const auto embedding = std::make_shared<at::Tensor>(reader.tensor("embedding"));
  return std::make_shared<transformer::Weights>(transformer::Weights{
      options.pre_norm, options.alignment_layer, read_positions(reader, options),
      static_cast<float>(options.embedding_scale), embedding->const_data_ptr<float>(), embedding,
      optional_norm(reader, options, "embedding_norm"), read_layers(reader, options),
      optional_norm(reader, options, "norm"), static_cast<float>(options.output_scale), reader.matrix("output")});
}

}  // namespace seq2seq_kit
