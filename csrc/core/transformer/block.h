// The rows of a step that one thread works on.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/transformer/past.h"
#include "core/transformer/source.h"
#include "core/transformer/stream.h"
#include "core/transformer/weights.h"

namespace seq2seq_kit::transformer {

/// What all rows of a step share.
struct Step {
  const Weights* weights;
  const Source* source;  // null: none
  Past* past;
  StepPosition position;
  std::span<const int64_t> tokens;     // [rows]
  std::span<const int64_t> sentences;  // [B]: which of `source`
  int64_t beams;                       // rows of each sentence
  float* attention;                    // [rows, S'], zeros to begin with; null: not wanted
};

/// Takes rows through all layers. Each row's result is its own: it depends neither on the other rows nor on how a step
/// is cut into blocks. Shares out products and heads to the team that the thread leads. Keeps its buffers between
/// steps.
class Block {
 public:
  /// The rows [first, last), those of whole sentences: what the output layer reads, [last - first, H], valid until the
  /// next call.
  const float* run(const Step& step, int64_t first, int64_t last);

 private:
  void embed();
  void look_back(const Layer& layer, int64_t index);
  void look_up(const Layer& layer, int64_t index);

  const Step* step_ = nullptr;
  int64_t first_ = 0, rows_ = 0, size_ = 0;
  std::vector<float> x_;        // [rows, H]
  Stream stream_;               // those
  std::vector<float> wide_;     // [rows, of the widest product]
  std::vector<float> context_;  // [rows, of all heads]

  /// Of one head of the hypotheses of a sentence: [beams, positions].
  struct Scratch {
    std::vector<float> weights, bias;
  };
  std::vector<Scratch> scratch_;  // one a thread

  /// Calls `work(scratch, begin, end)` for parts of [0, count) that make up all of it, where it is worth it each with a
  /// thread of the team; `multiplications`: of all.
  template <typename Work>
  void share_out(int64_t count, int64_t multiplications, const Work& work);
};

}  // namespace seq2seq_kit::transformer
