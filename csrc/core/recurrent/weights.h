// The weights of a recurrent decoder (Luong et al. 2015, Bahdanau et al. 2015), packed for decoding. Torch-free and
// immutable: searches and threads share them. H is the width, E that of embeddings, M that of the memory's states, C of
// the context, V the vocabulary.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/kernels/packed_matrix.h"

namespace seq2seq_kit::recurrent {

enum class Cell { rnn, gru, lstm };

/// Gates [1, 3 or 4, H] of one layer, in the order of torch's weights.
struct Layer {
  kernels::PackedMatrix input;      // [gates H, what it reads]
  kernels::PackedMatrix recurrent;  // [gates H, H]
};

/// What the source is looked up with. Heads lie side by side in queries, keys and values.
struct Attention {
  int64_t heads;
  float scale;                                 // of products
  std::vector<float> energy;                   // [D] of additive scores; empty: scores are products
  std::optional<kernels::PackedMatrix> query;  // [heads D, H]; none: the query as it is
  std::optional<kernels::PackedMatrix> key;    // [heads D, M]; none: keys and values are the memory's states
  std::optional<kernels::PackedMatrix> value;  // [heads D', M]; none: the memory's states
  std::optional<kernels::PackedMatrix> out;    // [C, heads D']; none: the context is what was mixed of values
};

/// How a state begins.
struct Start {
  enum class From { zeros, final, mean };  // of the memory: its final state, or the mean of its states
  From from;
  std::vector<kernels::PackedMatrix> linear;  // [H, F] of each layer; empty: as it is
};

struct Weights {
  Cell cell;
  float embedding_scale;
  const float* embedding;                        // [V, E]
  std::shared_ptr<const void> embedding_memory;  // keeps it
  int64_t embedding_size;                        // E
  std::vector<Layer> layers;
  Start start_h, start_c;              // the latter of an LSTM; a linear layer of h is followed by tanh
  int64_t memory_size;                 // M; 0: there is no memory
  std::optional<Attention> attention;  // none: the output layer reads the state of the top layer
  bool query_before;                   // looks up with the state before the recurrence, which reads the context
  bool input_feeding;                  // the recurrence reads what the output layer has read before
  std::optional<kernels::PackedMatrix> combine;  // [H, C + H], with attention
  kernels::PackedMatrix output;                  // [V, H]

  int64_t size() const { return output.inputs(); }
  int64_t vocab() const { return output.outputs(); }

  // Of the attention:
  int64_t key_size() const { return attention->key ? attention->key->outputs() : memory_size; }
  int64_t value_size() const { return attention->value ? attention->value->outputs() : memory_size; }
  int64_t context_size() const { return attention->out ? attention->out->outputs() : value_size(); }
};

}  // namespace seq2seq_kit::recurrent
