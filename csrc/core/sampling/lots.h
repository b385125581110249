// Drawing tokens from the rows of a sentence. Torch-free.
#pragma once

#include <cstdint>
#include <optional>

#include "core/candidate.h"
#include "core/sampling/buffers.h"
#include "core/sampling/warpers.h"
#include "core/sentence_scores.h"
#include "seq2seq_kit/search_options.h"

namespace seq2seq_kit {

/// The tokens of some slots, to be drawn in proportion to exp(score), by inverting the distribution function over slots
/// and tokens in ascending order. Scores count as whole weights (`kernels::weights`), relative to the greatest of them,
/// so that what is drawn depends on nothing but the rows and the random bits. One at a time: the buffers are those of
/// the sentence's scores.
class Lots {
 public:
  /// One slot's log-probabilities as the warpers leave them.
  static Lots of_slot(SentenceScores& scores, int64_t slot, const SearchOptions& options);

  /// All slots together: log-probabilities as the warpers leave them, each slot's sum added. With `semantics="hf"` they
  /// are divided by the temperature first, and not renormalised.
  static Lots of_all(SentenceScores& scores, const SearchOptions& options);

  /// False where nothing is possible.
  bool any() const { return total_ > 0; }

  /// The token that 64 random bits choose. Its score is the slot's sum and its own log-probability, not warped.
  Candidate draw(uint64_t random) const;

  /// Takes a token that was drawn out: what is drawn next is another.
  void remove(const Candidate& drawn);

  /// One row as it is drawn from, impossible where a token is not.
  SampleRow row(int64_t slot) const;

 private:
  Lots(SentenceScores& scores, int64_t first, int64_t last, float temperature);

  /// Reads a slot's row and narrows it. Returns the sum of the weights where it is known, and with it those of blocks.
  std::optional<int64_t> read(int64_t slot, const SearchOptions& options) const;

  int64_t* sums(int64_t slot) const;
  void weigh();

  SentenceScores* scores_;
  SampleBuffers* buffers_;
  int64_t first_, last_, blocks_;
  float temperature_;
  float max_ = kImpossible;
  int64_t total_ = 0;
};

}  // namespace seq2seq_kit
