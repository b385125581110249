// The native Transformer encoder, from tensors to tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/transformer/weights.h"

namespace seq2seq_kit {

/// The states [B, S, H], zero on padding, of sentences whose real positions, one sentence's after the other's, are
/// `read` [N, features]: embedded tokens without positions, or frames. `mask` [B, S] bool, right-padded. On torch's
/// number of threads.
at::Tensor encode(const transformer::EncoderWeights& weights, const at::Tensor& read, const at::Tensor& mask);

}  // namespace seq2seq_kit
