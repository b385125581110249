// A Transformer encoder that reads a batch: no Python, and no tensors. Torch-free.
#pragma once

#include <cstdint>
#include <span>

#include "core/transformer/weights.h"

namespace seq2seq_kit::transformer {

/// The states [N, H] of sentences that lie one after the other, without padding, on at most `threads` threads.
/// A sentence's are its own to the bit: they depend neither on the others nor on the number of threads.
///
/// `read` [N, features] is embedded tokens without positions, or frames; `lengths` [B], whose sum is N. Throws a
/// SearchError where a sentence is longer than there are learned positions.
void encode(const EncoderWeights& weights, const float* read, std::span<const int64_t> lengths, int64_t threads,
            float* states);

}  // namespace seq2seq_kit::transformer
