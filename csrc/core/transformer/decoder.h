// A Transformer decoder that writes a batch: no Python, and no tensors. Torch-free.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/transformer/block.h"
#include "core/transformer/past.h"
#include "core/transformer/source.h"
#include "core/transformer/weights.h"

namespace seq2seq_kit::transformer {

class Decoder {
 public:
  /// `source` is null for a language model.
  Decoder(std::shared_ptr<const Weights> weights, std::shared_ptr<const Source> source);

  /// Begins with `batch` sentences of one hypothesis each.
  void start(int64_t batch);

  /// One time step: the logits [rows, V] after `tokens` [rows], on at most `threads` threads. The attention to the
  /// source is added to `attention` [rows, S'], unless that is null.
  void step(std::span<const int64_t> tokens, int64_t threads, float* scores, float* attention);

  /// What a step gives in the place of all logits: see `TopScores` of the step contract.
  struct Top {
    int64_t count;                   // at most V
    float* scores;                   // [rows, count]
    int64_t* tokens;                 // [rows, count]
    float* log_sums;                 // [rows]
    std::span<const int64_t> asked;  // tokens below V
    float* asked_scores;             // [rows, asked]
  };

  /// As `step`; the logits are those of `step`, to the bit.
  void step_top(std::span<const int64_t> tokens, int64_t threads, const Top& top, float* attention);

  /// Which sentences and hypotheses go on: see `Selection` of the step contract.
  void select(std::span<const int64_t> survivors, std::span<const int64_t> rows, int64_t beams);

 private:
  /// Calls `finish` with what the output layer reads, [last - first, H], of all rows [first, last), block by block.
  using Finish = std::function<void(int64_t first, int64_t last, const float* hidden)>;
  void run(std::span<const int64_t> tokens, int64_t threads, float* attention, const Finish& finish);

  std::shared_ptr<const Weights> weights_;
  std::shared_ptr<const Source> source_;
  std::vector<int64_t> sentences_;  // those of `source_` that go on
  int64_t beams_ = 1;               // rows of each
  std::optional<Past> past_;
  std::vector<Block> blocks_;  // one a thread
};

}  // namespace seq2seq_kit::transformer
