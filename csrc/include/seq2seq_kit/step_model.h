// What a search drives: a decoder, one time step for a whole batch at a time.
// B sentences, K beams, V' tokens that can be scored, S' positions of the memory.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace seq2seq_kit {

enum class ScoreKind { logits, log_probs };

/// What one time step gives the search; the rest (states, caches) stays inside the model.
struct StepScores {
  at::Tensor scores;  // [B, K, V']
  ScoreKind kind = ScoreKind::logits;
  at::Tensor attention;  // [B, K, S'], or undefined
};

/// Which of the [B, K] rows of the last step live on, and where.
struct Selection {
  std::vector<int64_t> survivors;  // [B'] indexes into B, ascending: the sentences that are not done
  std::vector<int64_t> parents;    // [B' * K'] indexes into K: the slot that each new slot continues
  int64_t beams = 0;               // K', the number of slots of each survivor from now on

  /// Indexes into the B * K rows of the last step, one for each of the B' * K' new rows.
  std::vector<int64_t> rows(int64_t old_beams) const {
    std::vector<int64_t> rows;
    rows.reserve(parents.size());
    for (size_t i = 0; i < parents.size(); ++i) {
      rows.push_back(survivors[static_cast<int64_t>(i) / beams] * old_beams + parents[i]);
    }
    return rows;
  }

  /// True when every one of the `batch` sentences lives on and every slot continues itself.
  bool is_identity(int64_t batch, int64_t old_beams) const {
    if (beams != old_beams || static_cast<int64_t>(survivors.size()) != batch) return false;
    for (size_t i = 0; i < parents.size(); ++i) {
      if (parents[i] != static_cast<int64_t>(i) % beams) return false;
    }
    return true;
  }
};

/// The search calls `init` once; then `step`, and `select` after every step but the last. It never asks what kind of
/// model it drives. A model owns its state: reordering and shrinking it is what `select` is for.
class StepModel {
 public:
  virtual ~StepModel() = default;

  /// Prepares for `batch` sentences of one slot each, which `select` may widen to `max_beams` slots.
  virtual void init(int64_t batch, int64_t max_beams) = 0;

  /// One time step: `tokens` [B, K] int64 and `position` [B] int64 (0 for BOS), both on `device()`.
  virtual StepScores step(const at::Tensor& tokens, const at::Tensor& position) = 0;

  /// The rows of the next step in terms of those of the last one.
  virtual void select(const Selection& selection) = 0;

  virtual at::Device device() const = 0;
};

/// The step of one batch without Python: what Python holds and gives to a search. Immutable: searches may share it.
class NativeStep {
 public:
  virtual ~NativeStep() = default;

  /// A model of it for one search.
  virtual std::unique_ptr<StepModel> begin() const = 0;
};

}  // namespace seq2seq_kit
