// The search loop: one for every decoder.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "seq2seq_kit/hypothesis.h"
#include "seq2seq_kit/search_options.h"
#include "seq2seq_kit/sentence_input.h"
#include "seq2seq_kit/step_model.h"
#include "torch/score_processor.h"

namespace seq2seq_kit {

struct SearchResult {
  std::vector<std::vector<Hypothesis>> hypotheses;  // [B][up to n_best], best first
  std::vector<std::vector<at::Tensor>> attention;   // [B][as hypotheses] of [tokens, S'], where asked for and given
};

/// What a caller may do while a search runs, and how tests make it take other ways to the same result.
struct SearchControl {
  std::function<void()> before_step;  // called once a time step; may throw to end the search

  /// The caller's own processors, applied in order after the built-in options.
  ScoreProcessors processors;

  /// The caller's own stop criterion: from tokens [B, K, 1 + t], BOS first, and sums [B, K] to bool [B, K]: true ends
  /// the hypothesis there, or its sentence (`Beam::stop`).
  std::function<at::Tensor(const at::Tensor& tokens, const at::Tensor& sums)> stop;

  /// Told of tokens of a sentence's best hypothesis as soon as they are settled: they are never taken back.
  std::function<void(int64_t sentence, const std::vector<int64_t>& tokens)> on_tokens;

  /// Records what `enqueue` puts to work on the device, without doing it, and returns what does it as often as it is
  /// called; nothing where that cannot be recorded. Null: nothing is recorded.
  std::function<std::function<void()>(const std::function<void()>& enqueue)> record;

  bool search_on_device = false;  // also on the CPU, where the options let it: see search_on_device
  bool select_on_device = false;  // see Advance
  bool shrink = true;             // sentences leave the batch when they are done
};

/// Searches a batch: `sentences` [B].
SearchResult search(StepModel& model, const SearchOptions& options, const std::vector<SentenceInput>& sentences,
                    SearchControl& control);

}  // namespace seq2seq_kit
