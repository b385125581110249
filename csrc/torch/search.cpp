#include "torch/search.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

#include "core/beam.h"
#include "seq2seq_kit/errors.h"
#include "torch/attention_trace.h"
#include "torch/candidates.h"
#include "torch/tensors.h"

namespace seq2seq_kit {
namespace {

/// How a message says where something went wrong.
std::string where(int64_t sentence, int64_t position) {
  return "sentence " + std::to_string(sentence) + ", step " + std::to_string(position) + ": ";
}

void check_eos(const SearchOptions& options, int64_t vocab) {
  for (const int64_t eos : options.eos_ids) {
    if (eos >= vocab) {
      throw SearchError("search option eos_ids = " + std::to_string(eos) + ": the step scores only " +
                        std::to_string(vocab) + " tokens");
    }
  }
}

void check_candidates(const Candidates& found, const StepScores& step, const std::vector<int64_t>& active,
                      int64_t position) {
  if (!found.invalid.empty()) {
    throw SearchError(where(active[found.invalid.front()], position) + "the step's scores contain NaN or +inf");
  }
  // The exact stop rule rests on log-probabilities that never raise a sum. Rounding above 0 is forgiven.
  constexpr float kRounding = 1e-3f;
  for (size_t b = 0; b < found.best.size(); ++b) {
    for (const Candidate& candidate : found.best[b]) {
      if (step.kind == ScoreKind::log_probs && candidate.log_prob > kRounding) {
        throw SearchError(where(active[b], position) + "the step's score " + std::to_string(candidate.log_prob) +
                          " is above 0: scores of kind 'log_probs' are log-probabilities (kind 'logits' is normalised "
                          "by the search)");
      }
    }
  }
}

/// The batch's live hypotheses as the next step sees them: K' is the greatest number of live slots; the dead ones of a
/// sentence repeat its first.
struct Layout {
  Selection selection;
  std::vector<int64_t> tokens;  // [B' * K']
};

Layout next_layout(const std::vector<const Beam*>& beams) {
  Layout layout;
  for (size_t b = 0; b < beams.size(); ++b) {
    if (beams[b]->done()) continue;
    layout.selection.survivors.push_back(static_cast<int64_t>(b));
    layout.selection.beams = std::max(layout.selection.beams, static_cast<int64_t>(beams[b]->tokens().size()));
  }
  for (const int64_t b : layout.selection.survivors) {
    const auto tokens = beams[b]->tokens(), parents = beams[b]->parents();
    for (size_t k = 0; k < static_cast<size_t>(layout.selection.beams); ++k) {
      const size_t slot = k < tokens.size() ? k : 0;
      layout.tokens.push_back(tokens[slot]);
      layout.selection.parents.push_back(parents[slot]);
    }
  }
  return layout;
}

}  // namespace

SearchResult search(StepModel& model, const SearchOptions& options, const std::vector<int64_t>& limits,
                    const std::function<void()>& before_step, bool select_on_device) {
  options.validate();
  const auto batch = static_cast<int64_t>(limits.size());
  std::vector<Beam> all;
  for (const int64_t limit : limits) all.emplace_back(options, limit);

  std::vector<int64_t> active(batch);
  std::iota(active.begin(), active.end(), 0);
  std::vector<int64_t> tokens(batch, options.bos_id);
  int64_t width = 1;  // K of the current step
  CandidateFinder finder(options, select_on_device);
  AttentionTrace trace;

  model.init(batch, options.beam_size);
  for (int64_t position = 0; !active.empty(); ++position) {
    before_step();
    const auto rows = static_cast<int64_t>(active.size());
    const StepScores step = model.step(to_tensor(tokens, model.device()).view({rows, width}),
                                       at::full({rows}, position, at::TensorOptions(at::kLong).device(model.device())));
    check_eos(options, step.scores.size(2));
    if (options.attention) trace.append(step.attention);

    std::vector<const Beam*> beams;
    for (const int64_t sentence : active) beams.push_back(&all[sentence]);
    const Candidates found = finder.find(step, beams);
    check_candidates(found, step, active, position);
    for (int64_t b = 0; b < rows; ++b) all[active[b]].advance(found.best[b], b * width);

    Layout layout = next_layout(beams);
    std::vector<int64_t> still_active;
    for (const int64_t b : layout.selection.survivors) still_active.push_back(active[b]);
    active = std::move(still_active);
    if (active.empty()) break;
    model.select(layout.selection);
    tokens = std::move(layout.tokens);
    width = layout.selection.beams;
  }

  SearchResult result;
  for (const Beam& beam : all) {
    result.hypotheses.push_back(beam.hypotheses());
    result.attention.emplace_back();
    for (const Hypothesis& hypothesis : result.hypotheses.back()) {
      result.attention.back().push_back(trace.along(hypothesis));
    }
  }
  return result;
}

}  // namespace seq2seq_kit
