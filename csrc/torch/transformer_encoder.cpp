#include "torch/transformer_encoder.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/transformer/encoder.h"
#include "torch/sentence_rows.h"

namespace seq2seq_kit {

at::Tensor encode(const transformer::EncoderWeights& weights, const at::Tensor& read, const at::Tensor& mask) {
  const SentenceRows sentences(read, mask, weights.input_size());
  const at::Tensor states = at::empty({sentences.positions(), weights.size()}, at::kFloat);
  transformer::encode(weights, sentences.rows(), sentences.lengths(), at::get_num_threads(),
                      states.mutable_data_ptr<float>());
  return sentences.padded(states);
}

}  // namespace seq2seq_kit
