// The rows of a step that one thread works on.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/recurrent/source.h"
#include "core/recurrent/state.h"
#include "core/recurrent/weights.h"

namespace seq2seq_kit::recurrent {

/// What all rows of a step share.
struct Step {
  const Weights* weights;
  const Source* source;  // null: none
  StateLayout layout;
  State* state;
  std::span<const int64_t> tokens;     // [rows]
  std::span<const int64_t> sentences;  // [B]: which of `source`
  int64_t beams;                       // rows of each sentence
  float* attention;                    // [rows, S'], zeros to begin with; null: not wanted
};

/// Takes rows through all layers. Each row's result is its own: it depends neither on the other rows nor on how a step
/// is cut into blocks. Keeps its buffers between steps.
class Block {
 public:
  /// The rows [first, last): what the output layer reads, [last - first, H], valid until the next call.
  const float* run(const Step& step, int64_t first, int64_t last);

 private:
  void read_inputs();
  void recur();
  void combine();

  /// A part of the states before the step, side by side: [rows, H].
  const float* before(int64_t offset, std::vector<float>& buffer);

  /// Contexts for `queries` [rows, H] into `contexts`, whose rows are `stride` numbers apart.
  void look_up(const float* queries, int64_t queries_stride, float* contexts, int64_t stride);

  const Step* step_ = nullptr;
  int64_t first_ = 0, rows_ = 0;
  std::vector<float> inputs_;              // [rows, of the lowest layer]
  std::vector<float> gates_, past_gates_;  // [rows, gates of a layer]
  std::vector<float> past_h_, past_c_;     // [rows, H]
  std::vector<float> queries_, mixed_, scores_;
  std::vector<float> combined_;  // [rows, C + H]
  std::vector<float> hidden_;    // [rows, H]
};

}  // namespace seq2seq_kit::recurrent
