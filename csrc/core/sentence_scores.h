// One sentence's scores at one time step: the rows of its live slots, edited by processors, and the best continuations
// among them. Torch-free.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "core/beam.h"
#include "core/candidate.h"
#include "core/row_edits.h"
#include "core/sampling/buffers.h"
#include "core/score_row.h"

namespace seq2seq_kit {

/// What rows of scores are: logits, whose log-softmax is taken; log-probabilities, which are never above 0; or scores
/// to be taken as they are.
enum class RowKind { logits, log_probs, as_is };

/// Where a step's scores lie, and what they are.
struct RawScores {
  const float* rows;  // [live slots, vocab]
  int64_t vocab;
  RowKind kind;
  float temperature = 1;  // divides logits before their log-softmax is taken
};

/// What is wrong with a row.
enum class RowFault { none, not_finite, above_zero };

/// How far rounding may raise a log-probability above 0.
inline constexpr float kRounding = 1e-3f;

/// Finds the best candidates in one or two passes over each row, never sorting nor writing it. Keeps its buffers
/// between calls.
class SentenceScores {
 public:
  /// Reads the rows of a beam's live slots, unless a score is NaN, +inf, or a log-probability above 0.
  RowFault read(const RawScores& raw, const Beam& beam);

  /// Applies what the semantics bars, then `processors`, in order.
  void process(const Beam& beam, const Processors& processors);

  /// Does so anew for the slots [first, last), after each token of `penalties` has lost its penalty.
  void reprocess(const Beam& beam, const std::map<int64_t, float>& penalties, int64_t first, int64_t last);

  int64_t slots() const { return static_cast<int64_t>(rows_.size()); }
  int64_t vocab() const { return raw_.vocab; }

  /// A slot's row, to read or to edit further.
  ScoreRow row(int64_t slot) { return {raw_row(slot), raw_.vocab, rows_[slot].norm, edits_[slot]}; }

  /// The best candidates by sum, best first, valid until the next call. Ties go to the lower slot, then to the lower
  /// token. Candidates of -inf are never taken. Barred tokens keep their share of the probability.
  std::span<const Candidate> best(int64_t wanted) { return best(wanted, 0, slots()); }

  /// The same among the slots [first, last) alone.
  std::span<const Candidate> best(int64_t wanted, int64_t first, int64_t last);

  /// The sum of a slot's hypothesis.
  float sum(int64_t slot) const { return rows_[slot].sum; }

  /// What sampling from these rows writes to.
  SampleBuffers& sample_buffers() { return sample_buffers_; }

  /// A slot's whole row, edits included, into `out` [vocab].
  void write(int64_t slot, float* out) const;

 private:
  struct Row {
    float sum;  // of the live hypothesis
    RowNorm norm;
    bool dead;  // -inf throughout
  };

  const float* raw_row(int64_t slot) const { return raw_.rows + slot * raw_.vocab; }
  float* block_maxima(int64_t slot);

  void process_row(const Beam& beam, int64_t slot);
  void offer_row(int64_t slot, int64_t wanted);
  void offer(const Candidate& candidate, int64_t wanted);
  float least(int64_t wanted) const;

  RawScores raw_{};
  const Processors* processors_ = nullptr;  // of the rows as they are; null before they have been processed
  std::vector<Row> rows_;                   // [live slots]
  std::vector<RowEdits> edits_;             // [live slots or more]
  std::vector<float> maxima_;               // [live slots, blocks]
  std::vector<Candidate> best_;
  SampleBuffers sample_buffers_;
};

}  // namespace seq2seq_kit
