#include "torch/search.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

#include "seq2seq_kit/errors.h"
#include "seq2seq_kit/top_step_model.h"
#include "torch/advance.h"
#include "torch/device_search.h"
#include "torch/searched_sentences.h"
#include "torch/tensors.h"

namespace seq2seq_kit {
namespace {

/// The batch's live hypotheses as the next step sees them: K' is the greatest number of live slots; the dead ones of a
/// sentence repeat its first, and a sentence that is done but stays in the batch goes on from its own slot 0.
struct Layout {
  Selection selection;
  std::vector<int64_t> tokens;  // [B' * K']
};

Layout next_layout(const std::vector<Beam*>& beams, const SearchOptions& options, bool shrink) {
  Layout layout;
  const auto live = [](const Beam* beam) { return beam && !beam->over(); };
  const bool any = std::any_of(beams.begin(), beams.end(), live);
  for (size_t b = 0; any && b < beams.size(); ++b) {
    if (shrink && !live(beams[b])) continue;
    layout.selection.survivors.push_back(static_cast<int64_t>(b));
    if (!live(beams[b])) continue;
    layout.selection.beams = std::max(layout.selection.beams, static_cast<int64_t>(beams[b]->slots().size()));
  }
  for (const int64_t b : layout.selection.survivors) {
    for (size_t k = 0; k < static_cast<size_t>(layout.selection.beams); ++k) {
      if (!live(beams[b])) {
        layout.tokens.push_back(options.bos_id);
        layout.selection.parents.push_back(0);
        continue;
      }
      const auto slots = beams[b]->slots();
      const Beam::Slot& slot = slots[k < slots.size() ? k : 0];
      layout.tokens.push_back(slot.token);
      layout.selection.parents.push_back(slot.parent);
    }
  }
  return layout;
}

/// Ends the hypotheses, or the sentences, that the caller's stop criterion says.
void stop(const SearchControl& control, const std::vector<Beam*>& beams) {
  int64_t width = 0;
  for (const Beam* beam : beams) width = std::max(width, beam ? static_cast<int64_t>(beam->slots().size()) : 0);
  if (width == 0) return;
  const auto batch = static_cast<int64_t>(beams.size());
  at::Tensor sums = at::full({batch, width}, kImpossible, at::kFloat);
  for (int64_t b = 0; b < batch; ++b) {
    float* row = sums.mutable_data_ptr<float>() + b * width;
    if (!beams[b]) continue;
    for (const Beam::Slot& slot : beams[b]->slots()) *row++ = slot.sum;
  }
  const at::Tensor ended = control.stop(sequences(beams, width), sums);
  if (ended.sizes() != sums.sizes() || ended.scalar_type() != at::kBool) {
    throw SearchError("the stop criterion returned shape " + to_string(ended.sizes()) + ", expected bool " +
                      to_string(sums.sizes()) + " = [B, K]");
  }
  const at::Tensor on_cpu = ended.to(at::kCPU).contiguous();
  for (int64_t b = 0; b < batch; ++b) {
    const bool* row = on_cpu.const_data_ptr<bool>() + b * width;
    if (beams[b] && !beams[b]->done()) beams[b]->stop({row, beams[b]->slots().size()});
  }
}

}  // namespace

SearchResult search(StepModel& model, const SearchOptions& options, const std::vector<SentenceInput>& sentences,
                    SearchControl& control) {
  SearchedSentences all(options, sentences, control);
  const Processors processors = make_processors(options, sentences);
  const auto batch = static_cast<int64_t>(sentences.size());
  auto* const function = dynamic_cast<FunctionStepModel*>(&model);
  const bool elsewhere = control.search_on_device || !model.device().is_cpu();
  if (function && elsewhere && batch > 0 && !why_on_host(options, sentences, processors, control)) {
    search_on_device(*function, options, sentences, control, all);
    return all.results();
  }

  std::vector<int64_t> active(batch);
  std::iota(active.begin(), active.end(), 0);
  std::vector<int64_t> tokens(batch, options.bos_id);
  int64_t width = 1;  // K of the current step
  // Torch's generator gives every sentence of the batch its numbers, whether it is done or not.
  const bool shrink = control.shrink && (options.sampling == Sampling::off || options.rng == Rng::counter);
  Advance advance(options, processors, control.processors, control.select_on_device);

  auto* const quick = dynamic_cast<TopStepModel*>(&model);
  model.init(batch, options.beam_size);
  for (const auto& processor : control.processors) processor->init(batch);
  for (const int64_t sentence : active) {
    if (!control.processors.empty()) all.beam(sentence).expect_rising_sums();
  }
  for (int64_t position = 0; !active.empty() && !all.out_of_time(); ++position) {
    control.before_step();
    const auto rows = static_cast<int64_t>(active.size());
    const at::Tensor fed = to_tensor(tokens, model.device()).view({rows, width});  // [B, K]
    const at::Tensor places = at::full({rows}, position, at::TensorOptions(at::kLong).device(model.device()));
    std::vector<Beam*> beams;
    for (const int64_t sentence : active) {
      beams.push_back(all.beam(sentence).over() ? nullptr : &all.beam(sentence));
    }

    if (quick && position == 0) options.validate_tokens(quick->vocab());
    const auto plan = quick ? advance.top_plan(beams, quick->vocab()) : std::nullopt;
    if (plan) {
      const TopScores step = quick->step_top(fed, places, plan->request);
      all.keep_attention(step.attention);
      all.check(advance(step, *plan, width, beams), active, position);
    } else {
      const StepScores step = model.step(fed, places);
      if (position == 0) options.validate_tokens(step.scores.size(2));
      all.keep_attention(step.attention);
      all.check(advance(step, beams), active, position);
    }
    if (control.stop) stop(control, beams);
    for (const int64_t sentence : active) all.tell_settled(sentence);

    Layout layout = next_layout(beams, options, shrink);
    std::vector<int64_t> still_active;
    for (const int64_t b : layout.selection.survivors) still_active.push_back(active[b]);
    active = std::move(still_active);
    if (active.empty()) break;
    model.select(layout.selection);
    for (const auto& processor : control.processors) processor->select(layout.selection);
    tokens = std::move(layout.tokens);
    width = layout.selection.beams;
  }
  return all.results();
}

}  // namespace seq2seq_kit
