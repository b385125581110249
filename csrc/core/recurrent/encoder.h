// A recurrent encoder that reads a batch: no Python, and no tensors. Torch-free.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/kernels/packed_matrix.h"
#include "core/recurrent/weights.h"

namespace seq2seq_kit::recurrent {

/// Packed and immutable. H is the width of all directions together.
struct EncoderWeights {
  Cell cell;
  std::optional<kernels::PackedMatrix> input;  // [E, F] of frames; none: what is read are embeddings
  std::vector<std::vector<Layer>> layers;      // of each its directions: forwards, or forwards and backwards

  int64_t layer_count() const { return static_cast<int64_t>(layers.size()); }
  int64_t directions() const { return static_cast<int64_t>(layers.front().size()); }
  int64_t direction_size() const { return layers.front().front().recurrent.inputs(); }
  int64_t size() const { return directions() * direction_size(); }
  int64_t input_size() const { return input ? input->inputs() : layers.front().front().input.inputs(); }
};

/// What an encoder writes; a sentence without a position has a final state of zeros.
struct Encoded {
  float* states;  // [positions, H]
  float* h;       // [B, layers, H], after the last position of each direction
  float* c;       // as h, of an LSTM
};

/// Reads sentences of `lengths` positions, which lie one after the other in `read` [positions, input size], on at most
/// `threads` threads: each takes some of the sentences; where these are few, each product is shared out. What a
/// sentence gives does not depend on the others.
void encode(const EncoderWeights& weights, const float* read, std::span<const int64_t> lengths, int64_t threads,
            const Encoded& out);

}  // namespace seq2seq_kit::recurrent
