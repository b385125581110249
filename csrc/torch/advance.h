// From a step's scores to every sentence's next live hypotheses.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "core/beam.h"
#include "core/row_bars.h"
#include "core/sentence_scores.h"
#include "seq2seq_kit/search_options.h"
#include "seq2seq_kit/step_model.h"
#include "seq2seq_kit/top_step_model.h"
#include "torch/score_processor.h"
#include "torch/torch_draws.h"

namespace seq2seq_kit {

/// A sentence (an index into B) with a score that cannot be used.
struct BadScores {
  int64_t sentence;
  RowFault fault;
};

/// What the live hypotheses of a batch have written: [B, K, 1 + t] int64 on the CPU, BOS first. A slot without a
/// hypothesis repeats its sentence's first, or is all 0 where there is none.
at::Tensor sequences(const std::vector<Beam*>& beams, int64_t width);

/// Advances the beams of a batch wherever the scores are. On the CPU, rows are scanned by the core's kernels. Elsewhere
/// ATen selects on the device and one small tensor comes back, unless an option needs the rows: then they are copied.
class Advance {
 public:
  /// `custom` are the caller's processors, applied after the built-in ones. `on_device` selects by ATen also on the CPU
  /// (for tests), where it can.
  Advance(const SearchOptions& options, const Processors& processors, ScoreProcessors& custom, bool on_device);

  /// `beams` [B] are the sentences of the batch; only the live slots among the K rows of each are read, and a nullptr
  /// is passed over. Returns the sentences that did not advance.
  std::vector<BadScores> operator()(const StepScores& step, const std::vector<Beam*>& beams);

  /// What the next step is asked for where the best tokens of each row will do, and what its rows are known to be.
  struct TopPlan {
    TopRequest request;
    std::vector<std::vector<RowBars>> bars;  // [B][live slots]
  };

  /// Nothing where an option needs whole rows, of `vocab` tokens.
  std::optional<TopPlan> top_plan(const std::vector<Beam*>& beams, int64_t vocab);

  /// As with whole rows of scores; `width` rows a sentence.
  std::vector<BadScores> operator()(const TopScores& step, const TopPlan& plan, int64_t width,
                                    const std::vector<Beam*>& beams);

 private:
  /// Whether all that is chosen by are the sums of log-probabilities after the built-in processors, and the best of
  /// them are all that is chosen.
  bool takes_only_best(const std::vector<Beam*>& beams) const;

  /// Whether, besides, nothing is processed: tokens are barred by the semantics alone, and keep their probability.
  bool takes_raw_scores(const std::vector<Beam*>& beams) const;

  std::vector<BadScores> on_cpu(const StepScores& step, const std::vector<Beam*>& beams);
  std::vector<BadScores> on_device(const StepScores& step, const std::vector<Beam*>& beams) const;

  /// Shows the beams the attention [B, K, S'] that coverage is counted of.
  void see_attention(const at::Tensor& attention, const std::vector<Beam*>& beams) const;

  /// Calls `work` for every sentence of `scores` [B, K, V] that has a beam, on at most `threads` threads of ours, where
  /// there is enough to do. Each has rows of its own, so the results do not depend on how many there are.
  using SentenceWork = std::function<void(SentenceScores& rows, int64_t sentence)>;
  void for_each_sentence(const at::Tensor& scores, const std::vector<Beam*>& beams, int64_t threads,
                         const SentenceWork& work);

  /// A copy of `scores` [B, K, V] with the built-in processors' edits written into it.
  at::Tensor process(const at::Tensor& scores, const std::vector<Beam*>& beams);

  /// `scores` [B, K, V] after the caller's processors, which see them on the device of the step.
  at::Tensor apply_custom(at::Tensor scores, const std::vector<Beam*>& beams);

  const SearchOptions* options_;
  const Processors* processors_;
  ScoreProcessors* custom_;
  std::vector<int64_t> eos_;  // ascending
  bool on_device_;
  at::Device device_ = at::kCPU;        // of the step's scores
  std::vector<SentenceScores> scores_;  // one a thread
  RowEdits edits_;                      // room to work in
  TorchDraws torch_draws_;
};

}  // namespace seq2seq_kit
