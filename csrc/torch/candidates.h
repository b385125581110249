// From a step's scores to every sentence's best candidates.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/beam.h"
#include "core/select.h"
#include "seq2seq_kit/search_options.h"
#include "seq2seq_kit/step_model.h"

namespace seq2seq_kit {

/// What one step's selection found. `invalid` lists the sentences (indexes into B) with a NaN or +inf score.
struct Candidates {
  std::vector<std::vector<Candidate>> best;  // [B][up to K - finished], best first
  std::vector<int64_t> invalid;
};

/// Finds candidates wherever the scores are. On the CPU, rows are scanned by the core's kernels; elsewhere ATen selects
/// on the device, and one small tensor comes back.
class CandidateFinder {
 public:
  /// `on_device` selects by ATen also on the CPU (for tests).
  CandidateFinder(const SearchOptions& options, bool on_device);

  /// `beams` [B] are the sentences of the batch; only the live slots among the K rows of each are read.
  Candidates find(const StepScores& step, const std::vector<const Beam*>& beams);

 private:
  Candidates find_on_cpu(const StepScores& step, const std::vector<const Beam*>& beams);
  Candidates find_on_device(const StepScores& step, const std::vector<const Beam*>& beams) const;

  const SearchOptions* options_;
  std::vector<int64_t> eos_;  // ascending
  bool on_device_;
  Selector selector_;
};

}  // namespace seq2seq_kit
