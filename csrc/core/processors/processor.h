// What may change the scores of the next token before candidates are chosen. Torch-free.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/score_row.h"
#include "seq2seq_kit/search_options.h"
#include "seq2seq_kit/sentence_input.h"

namespace seq2seq_kit {

/// One live hypothesis, as processors see it.
struct HypothesisView {
  std::span<const int64_t> sequence;  // BOS, then the generated tokens, a forced prefix among them
  const SentenceInput& sentence;
  int64_t limit;            // length_limit(options, sentence)
  int64_t automaton_state;  // of the sentence's automaton

  std::span<const int64_t> generated() const { return sequence.subspan(1); }
  std::span<const int64_t> tokens(bool with_bos) const { return with_bos ? sequence : generated(); }
  int64_t length() const { return static_cast<int64_t>(sequence.size()) - 1; }
};

/// What a processor does to a row. All but the last reads no score and writes none but -inf, or 0 for the only token of
/// a row that it closes.
enum class Effect {
  bars_alike,  // bars the same tokens of all rows that it does not close
  bars,        // bars tokens of a hypothesis
  other,
};

/// A built-in option that blocks or biases tokens. Without state of its own: all it needs is the hypothesis.
class Processor {
 public:
  virtual ~Processor() = default;
  virtual void apply(const HypothesisView& hypothesis, ScoreRow& scores) const = 0;

  /// At most this at all steps.
  virtual Effect effect() const { return Effect::other; }
};

using Processors = std::vector<std::unique_ptr<const Processor>>;

/// What the options and the sentences of a batch ask for, in the order in which they are applied; nothing asked,
/// nothing made. `options` must outlive them. Throws a SearchError where a sentence lacks the source that an
/// option reads, or has a prefix that cannot be written.
Processors make_processors(const SearchOptions& options, std::span<const SentenceInput> sentences);

}  // namespace seq2seq_kit
