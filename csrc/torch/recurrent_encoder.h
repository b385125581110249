#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "core/recurrent/encoder.h"
#include "torch/tensors.h"

namespace seq2seq_kit {

/// Packs the weights of an encoder of `cell` "rnn", "gru" or "lstm": float32 tensors on the CPU, by name; `precision`
/// is "fp32", "bf16" or "int8".
std::shared_ptr<recurrent::EncoderWeights> read_recurrent_encoder(const std::string& cell, int64_t layers,
                                                                  int64_t directions, const std::string& precision,
                                                                  const NamedTensors& tensors);

/// Reads `read` [positions, input size], what stands at the real positions of `mask` [B, S]. Returns the states
/// [B, S, H], and the final h and, of an LSTM, c [B, layers, H].
std::vector<at::Tensor> encode(const recurrent::EncoderWeights& weights, const at::Tensor& read,
                               const at::Tensor& mask);

}  // namespace seq2seq_kit
