// The search loop: one for every decoder.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "seq2seq_kit/hypothesis.h"
#include "seq2seq_kit/search_options.h"
#include "seq2seq_kit/step_model.h"

namespace seq2seq_kit {

struct SearchResult {
  std::vector<std::vector<Hypothesis>> hypotheses;  // [B][up to n_best], best first
  std::vector<std::vector<at::Tensor>> attention;   // [B][as hypotheses] of [tokens, S'], where asked for and given
};

/// Searches a batch. `limits` [B] are the sentences' `SearchOptions::limit`. `before_step` is called once a time step
/// and may throw to end the search. `select_on_device`: see CandidateFinder.
SearchResult search(StepModel& model, const SearchOptions& options, const std::vector<int64_t>& limits,
                    const std::function<void()>& before_step, bool select_on_device);

}  // namespace seq2seq_kit
