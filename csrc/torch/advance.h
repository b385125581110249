// From a step's scores to every sentence's next live hypotheses.
#pragma once

#include <cstdint>
#include <vector>

#include "core/beam.h"
#include "core/sentence_scores.h"
#include "seq2seq_kit/search_options.h"
#include "seq2seq_kit/step_model.h"

namespace seq2seq_kit {

/// A sentence (an index into B) with a score that cannot be used.
struct BadScores {
  int64_t sentence;
  RowFault fault;
};

/// Advances the beams of a batch wherever the scores are. On the CPU, rows are scanned by the core's kernels. Elsewhere
/// ATen selects on the device and one small tensor comes back, unless an option needs the rows: then they are copied.
class Advance {
 public:
  /// `on_device` selects by ATen also on the CPU (for tests), where it can.
  Advance(const SearchOptions& options, const Processors& processors, bool on_device);

  /// `beams` [B] are the sentences of the batch; only the live slots among the K rows of each are read, and a nullptr
  /// is passed over. Returns the sentences that did not advance.
  std::vector<BadScores> operator()(const StepScores& step, const std::vector<Beam*>& beams);

 private:
  std::vector<BadScores> on_cpu(const StepScores& step, const std::vector<Beam*>& beams);
  std::vector<BadScores> on_device(const StepScores& step, const std::vector<Beam*>& beams) const;

  /// Whether processors see logits, and what they bar loses its share of the probability.
  bool processes_logits() const;
  at::Tensor process_logits(const at::Tensor& logits, const std::vector<Beam*>& beams);

  const SearchOptions* options_;
  const Processors* processors_;
  std::vector<int64_t> eos_;  // ascending
  bool on_device_;
  SentenceScores scores_;
};

}  // namespace seq2seq_kit
