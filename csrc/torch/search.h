// The search loop: one for every decoder.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "seq2seq_kit/hypothesis.h"
#include "seq2seq_kit/search_options.h"
#include "seq2seq_kit/sentence_input.h"
#include "seq2seq_kit/step_model.h"

namespace seq2seq_kit {

struct SearchResult {
  std::vector<std::vector<Hypothesis>> hypotheses;  // [B][up to n_best], best first
  std::vector<std::vector<at::Tensor>> attention;   // [B][as hypotheses] of [tokens, S'], where asked for and given
};

/// What a caller may do while a search runs, and how tests make it take other ways to the same result.
struct SearchControl {
  std::function<void()> before_step;  // called once a time step; may throw to end the search
  bool select_on_device = false;      // see Advance
  bool shrink = true;                 // sentences leave the batch when they are done
};

/// Searches a batch: `sentences` [B].
SearchResult search(StepModel& model, const SearchOptions& options, const std::vector<SentenceInput>& sentences,
                    const SearchControl& control);

}  // namespace seq2seq_kit
