// `rng="torch"`: what is drawn is what Hugging Face's generate draws from the same state of torch's generator.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "core/beam.h"
#include "core/sentence_scores.h"
#include "seq2seq_kit/search_options.h"

namespace seq2seq_kit {

/// Draws by `multinomial`, once a step for the whole batch: over [B * K, V] for `sampling="tokens"`, over [B, K * V]
/// for "beams". Its use of random numbers depends on this shape alone, so rows without a hypothesis take part, with
/// weights that do not matter. A seed makes a generator of its own; else torch's default one is used.
class TorchDraws {
 public:
  explicit TorchDraws(const SearchOptions& options);

  /// A step of `batch` sentences of `vocab` tokens begins.
  void begin(int64_t batch, int64_t vocab);

  /// Reads the processed scores of a beam, not in its prompt: sentence `b` of the batch, whose first row is
  /// `first_row`.
  void add(SentenceScores& scores, Beam& beam, int64_t b, int64_t first_row);

  /// Draws, and advances the beams that were added.
  void draw();

 private:
  struct Entry {
    Beam* beam;
    int64_t sentence, first_row;
  };

  Candidate candidate(const Entry& entry, int64_t slot, int64_t token) const;
  void draw_tokens(const at::Tensor& weights);
  void draw_candidates(const at::Tensor& weights);

  const SearchOptions* options_;
  std::optional<at::Generator> generator_;
  std::vector<Entry> entries_;
  at::Tensor scores_;     // [B, K, V]: what is drawn from
  at::Tensor log_probs_;  // [B, K, V]: what is added to the sums; by slots
};

}  // namespace seq2seq_kit
