// A decoder that writes a batch by itself: no Python, and no tensors. Torch-free.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/kernels/packed_matrix.h"
#include "core/parallel.h"

namespace seq2seq_kit {

/// What native decoders have in common: which sentences they write, and an output layer behind what each computes in
/// its own way.
class BatchDecoder {
 public:
  virtual ~BatchDecoder() = default;

  int64_t vocab() const { return output_->outputs(); }

  /// Begins with `batch` sentences of one hypothesis each.
  void start(int64_t batch);

  /// One time step: the logits [rows, V] after `tokens` [rows], on at most `threads` threads: each takes some of the
  /// rows; where these are few, each product is shared out. The attention to the source is added to `attention`
  /// [rows, S'], unless that is null.
  void step(std::span<const int64_t> tokens, int64_t threads, float* scores, float* attention);

  /// What a step gives in the place of all logits: see `TopScores` of the step contract.
  struct Top {
    int64_t count;                         // at most V
    float* scores;                         // [rows, count]
    int64_t* tokens;                       // [rows, count]
    float* log_sums;                       // [rows]
    std::span<const int64_t> asked;        // tokens below V
    float* asked_scores;                   // [rows, asked]
    std::span<const int64_t> barred = {};  // ascending
  };

  /// As `step`; the logits are those of `step`, to the bit.
  void step_top(std::span<const int64_t> tokens, int64_t threads, const Top& top, float* attention);

  /// Which sentences and hypotheses go on: see `Selection` of the step contract.
  void select(std::span<const int64_t> survivors, std::span<const int64_t> rows, int64_t beams);

 protected:
  /// `output` [V, H] must stay.
  explicit BatchDecoder(const kernels::PackedMatrix& output) : output_(&output) {}

  /// Calls `finish` with what the output layer reads, [last - first, H], of all rows [first, last), block by block; on
  /// several threads at once.
  using Finish = std::function<void(int64_t first, int64_t last, const float* hidden)>;
  virtual void run(std::span<const int64_t> tokens, int64_t threads, float* attention, const Finish& finish) = 0;

  /// Forgets what was written, for `batch` sentences of one hypothesis each.
  virtual void begin(int64_t batch) = 0;

  /// `parents` [new rows], indexes into the rows: what each continues.
  virtual void reorder(std::span<const int64_t> parents) = 0;

  /// Those of the start that go on, and the rows of each.
  const std::vector<int64_t>& sentences() const { return sentences_; }
  int64_t beams() const { return beams_; }

  /// Takes the rows of some sentences through `blocks[i].run(step, first, last)`, one block a thread, and `finish`.
  template <typename Block, typename Step>
  void run_blocks(std::vector<Block>& blocks, const Step& step, int64_t threads, const Finish& finish) const {
    const auto batch = static_cast<int64_t>(sentences_.size());
    const int64_t count = std::max<int64_t>(1, std::min(threads, batch));
    if (static_cast<int64_t>(blocks.size()) < count) blocks.resize(count);
    parallel_for(batch, count, [&](int64_t block, int64_t begin, int64_t end) {
      const int64_t first = begin * beams_, last = end * beams_;
      finish(first, last, blocks[block].run(step, first, last));
    });
  }

 private:
  /// Throws a SearchError for tokens that there are not.
  void check(std::span<const int64_t> tokens) const;
  void share_out(std::span<const int64_t> tokens, int64_t threads, float* attention, const Finish& finish);

  const kernels::PackedMatrix* output_;
  std::vector<int64_t> sentences_;
  int64_t beams_ = 1;
};

}  // namespace seq2seq_kit
