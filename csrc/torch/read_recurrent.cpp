// From tensors by name to the weights of the native recurrent decoder.
#include <ATen/ATen.h>

#include <optional>
#include <utility>

#include "seq2seq_kit/errors.h"
#include "torch/recurrent_step.h"
#include "torch/weight_reader.h"

namespace seq2seq_kit {
namespace {

using recurrent::Cell;
using recurrent::Start;

Start::From parse_start(const std::string& name) {
  if (name == "zeros") return Start::From::zeros;
  if (name == "final") return Start::From::final;
  if (name == "mean") return Start::From::mean;
  throw SearchError("a state cannot begin with '" + name + "'");
}

Start read_start(const WeightReader& reader, const RecurrentOptions& options, const std::string& from,
                 const std::string& name) {
  Start start{parse_start(from), {}};
  for (int64_t i = 0; i < options.layers; ++i) {
    auto linear = reader.optional_matrix(name + std::to_string(i));
    if (linear) start.linear.push_back(std::move(*linear));
  }
  return start;
}

std::optional<recurrent::Attention> read_attention(const WeightReader& reader, const RecurrentOptions& options) {
  if (!options.attends) return std::nullopt;
  return recurrent::Attention{options.heads,
                              static_cast<float>(options.scale),
                              reader.numbers("attention.energy"),
                              reader.optional_matrix("attention.query"),
                              reader.optional_matrix("attention.key"),
                              reader.optional_matrix("attention.value"),
                              reader.optional_matrix("attention.out")};
}

}  // namespace

Cell parse_cell(const std::string& name) {
  if (name == "rnn") return Cell::rnn;
  if (name == "gru") return Cell::gru;
  if (name == "lstm") return Cell::lstm;
  throw SearchError("there is no native cell '" + name + "'");
}

std::shared_ptr<recurrent::Weights> read_recurrent(const RecurrentOptions& options, const NamedTensors& tensors) {
  const WeightReader reader(tensors, options.precision);
  std::vector<recurrent::Layer> layers;
  for (int64_t i = 0; i < options.layers; ++i) {
    const std::string name = "layers." + std::to_string(i);
    layers.push_back({reader.matrix(name + ".input"), reader.matrix(name + ".recurrent")});
  }
  const auto embedding = std::make_shared<at::Tensor>(reader.tensor("embedding"));
  return std::make_shared<recurrent::Weights>(recurrent::Weights{
      parse_cell(options.cell), static_cast<float>(options.embedding_scale), embedding->const_data_ptr<float>(),
      embedding, embedding->size(1), std::move(layers), read_start(reader, options, options.start_h, "start.h"),
      read_start(reader, options, options.start_c, "start.c"), options.memory_size, read_attention(reader, options),
      options.query_before, options.input_feeding, reader.optional_matrix("combine"), reader.matrix("output")});
}

}  // namespace seq2seq_kit
