// MinimalDecoder.step (src/seq2seq_kit_native_example/decoder.py) as an operator of torch: the same function, to be
// called by the search without Python. B sentences, K beams, E embedding, H hidden, D memory, S positions of the
// source.
#include <ATen/ATen.h>
#include <torch/library.h>

#include <limits>
#include <tuple>
#include <vector>

namespace {

using at::Tensor;

/// The order of `params`, which is that of MinimalDecoder.native.
enum Param { kEmbedding, kForgetWeight, kForgetBias, kNewWeight, kNewBias, kQuery, kOutWeight, kOutBias, kParams };

std::tuple<Tensor, std::vector<Tensor>, std::vector<Tensor>, Tensor> step(
    const Tensor& tokens, const Tensor& /*position*/, at::TensorList rows, at::TensorList /*history*/,
    at::TensorList sentences, at::TensorList params) {
  TORCH_CHECK(rows.size() == 1 && sentences.size() == 2 && params.size() == kParams,
              "expected the state and the weights of a MinimalDecoder");
  const Tensor &h = rows[0], &states = sentences[0], &mask = sentences[1];  // [B, K, H], [B, S, D], [B, S]

  const Tensor x = at::embedding(params[kEmbedding], tokens);  // [B, K, E]
  const Tensor forget = at::linear(at::cat({x, h}, -1), params[kForgetWeight], params[kForgetBias]).sigmoid_();
  const Tensor fresh = at::linear(at::cat({x, forget * h}, -1), params[kNewWeight], params[kNewBias]).tanh_();
  const Tensor next = at::lerp(h, fresh, forget);  // [B, K, H]

  const Tensor scores = at::bmm(at::linear(next, params[kQuery]), states.transpose(1, 2));  // [B, K, S]
  const Tensor padding = mask.logical_not().unsqueeze(1);                                   // [B, 1, S]
  const Tensor attention =
      at::softmax(scores.masked_fill(padding, std::numeric_limits<float>::lowest()), -1).masked_fill_(padding, 0);
  const Tensor context = at::bmm(attention, states);  // [B, K, D]
  const Tensor logits = at::linear(at::cat({next, context}, -1), params[kOutWeight], params[kOutBias]);
  return {logits, {next}, {}, attention};
}

}  // namespace

TORCH_LIBRARY(seq2seq_kit_native_example, library) {
  library.def(
      "step(Tensor tokens, Tensor position, Tensor[] rows, Tensor[] history, Tensor[] sentences, Tensor[] params)"
      " -> (Tensor scores, Tensor[] rows, Tensor[] new_history, Tensor attention)",
      &step);
}
