#include "torch/recurrent_encoder.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <utility>

#include "torch/recurrent_step.h"
#include "torch/sentence_rows.h"
#include "torch/weight_reader.h"

namespace seq2seq_kit {

std::shared_ptr<recurrent::EncoderWeights> read_recurrent_encoder(const std::string& cell, int64_t layers,
                                                                  int64_t directions, const std::string& precision,
                                                                  const NamedTensors& tensors) {
  const WeightReader reader(tensors, precision);
  recurrent::EncoderWeights weights{parse_cell(cell), reader.optional_matrix("input"), {}};
  for (int64_t i = 0; i < layers; ++i) {
    weights.layers.emplace_back();
    for (int64_t direction = 0; direction < directions; ++direction) {
      const std::string name = "layers." + std::to_string(i) + "." + std::to_string(direction);
      weights.layers.back().push_back({reader.matrix(name + ".input"), reader.matrix(name + ".recurrent")});
    }
  }
  return std::make_shared<recurrent::EncoderWeights>(std::move(weights));
}

std::vector<at::Tensor> encode(const recurrent::EncoderWeights& weights, const at::Tensor& read,
                               const at::Tensor& mask) {
  const SentenceRows sentences(read, mask, weights.input_size());
  const at::Tensor states = at::empty({sentences.positions(), weights.size()}, at::kFloat);
  std::vector<at::Tensor> final{at::empty({sentences.batch(), weights.layer_count(), weights.size()}, at::kFloat)};
  if (weights.cell == recurrent::Cell::lstm) final.push_back(at::empty_like(final.front()));
  recurrent::encode(weights, sentences.rows(), sentences.lengths(), at::get_num_threads(),
                    {states.mutable_data_ptr<float>(), final.front().mutable_data_ptr<float>(),
                     final.size() > 1 ? final.back().mutable_data_ptr<float>() : nullptr});
  final.insert(final.begin(), sentences.padded(states));
  return final;
}

}  // namespace seq2seq_kit
