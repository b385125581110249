#include "torch/advance.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "core/normalisation.h"
#include "core/parallel.h"
#include "seq2seq_kit/errors.h"
#include "torch/device_choice.h"
#include "torch/tensors.h"

namespace seq2seq_kit {
namespace {

/// Log-softmax over V in float32 by ATen: the reference numerics. Rows that are -inf throughout stay so.
at::Tensor log_softmax(const at::Tensor& logits) {
  const at::Tensor log_probs = at::log_softmax(logits, -1, at::kFloat);
  const at::Tensor impossible = at::amax(logits, -1, /*keepdim=*/true) == -std::numeric_limits<float>::infinity();
  return at::masked_fill(log_probs, impossible, -std::numeric_limits<float>::infinity());
}

/// Scores that are worth another thread: about 0.1 ms of scanning.
constexpr int64_t kWorthAThread = 1 << 18;

}  // namespace

at::Tensor sequences(const std::vector<Beam*>& beams, int64_t width) {
  int64_t length = 0;
  for (const Beam* beam : beams) {
    if (beam) length = std::max(length, beam->length() + 1);
  }
  at::Tensor tokens = at::zeros({static_cast<int64_t>(beams.size()), width, length}, at::kLong);
  int64_t* row = tokens.mutable_data_ptr<int64_t>();
  for (const Beam* beam : beams) {
    for (int64_t k = 0; k < width; ++k, row += length) {
      if (!beam || beam->slots().empty()) continue;
      const auto sequence = beam->view(k < static_cast<int64_t>(beam->slots().size()) ? k : 0).sequence;
      std::copy(sequence.begin(), sequence.end(), row);
    }
  }
  return tokens;
}

Advance::Advance(const SearchOptions& options, const Processors& processors, ScoreProcessors& custom, bool on_device)
    : options_(&options),
      processors_(&processors),
      custom_(&custom),
      eos_(options.eos_ids),
      on_device_(on_device),
      torch_draws_(options) {
  std::sort(eos_.begin(), eos_.end());
}

std::vector<BadScores> Advance::operator()(const StepScores& step, const std::vector<Beam*>& beams) {
  device_ = step.scores.device();
  if (options_->coverage_penalty > 0) see_attention(step.attention, beams);
  const bool elsewhere = (on_device_ || !step.scores.is_cpu()) && takes_only_best(beams) && takes_raw_scores(beams);
  return elsewhere ? on_device(step, beams) : on_cpu(step, beams);
}

bool Advance::takes_only_best(const std::vector<Beam*>& beams) const {
  return options_->sampling == Sampling::off && custom_->empty() && options_->temperature == 1 &&
         options_->top_tokens == 0 &&
         std::all_of(beams.begin(), beams.end(), [](auto* beam) { return !beam || beam->takes_only_best(); });
}

bool Advance::takes_raw_scores(const std::vector<Beam*>& beams) const {
  // Where logits are barred, and not log-probabilities, the others share what they had.
  const bool bars_logits = processes_logits(*options_);
  return processors_->empty() && std::all_of(beams.begin(), beams.end(), [bars_logits](auto* beam) {
           return !beam || !bars_logits || beam->allowed() == Allowed::all;
         });
}

std::optional<Advance::TopPlan> Advance::top_plan(const std::vector<Beam*>& beams, int64_t vocab) {
  if (on_device_ || options_->numerics != Numerics::fast || !takes_only_best(beams)) return std::nullopt;
  const bool bars_logits = processes_logits(*options_);
  // Not a question of what is barred in this batch at this step: scores are rounded in one way whatever the batch.
  const Effect most = bars_logits ? Effect::bars_alike : Effect::bars;
  const auto only_bars = [most](const auto& processor) { return processor->effect() <= most; };
  if (!std::all_of(processors_->begin(), processors_->end(), only_bars)) return std::nullopt;

  TopPlan plan;
  TopRequest& request = plan.request;
  std::optional<std::vector<int64_t>> of_all_rows;  // logits that are barred
  plan.bars.resize(beams.size());
  for (size_t b = 0; b < beams.size(); ++b) {
    if (!beams[b]) continue;
    const bool only_eos = beams[b]->allowed() == Allowed::only_eos;
    if (only_eos) request.asked = eos_;
    for (int64_t slot = 0; slot < static_cast<int64_t>(beams[b]->slots().size()); ++slot) {
      RowBars bars = row_bars(*processors_, *beams[b], slot, vocab, edits_);
      auto more = static_cast<int64_t>(bars.barred.size());  // what may not come takes up a place among the best
      if (bars_logits && !bars.closed) {
        if (only_eos || (of_all_rows && *of_all_rows != bars.barred)) return std::nullopt;
        of_all_rows = bars.barred;
        more = 0;
      }
      request.count = std::max(request.count, beams[b]->wanted() + more);
      plan.bars[b].push_back(std::move(bars));
    }
  }
  if (of_all_rows) request.barred = std::move(*of_all_rows);
  return request.count > 0 ? std::optional(std::move(plan)) : std::nullopt;
}

std::vector<BadScores> Advance::operator()(const TopScores& step, const TopPlan& plan, int64_t width,
                                           const std::vector<Beam*>& beams) {
  device_ = at::kCPU;
  if (options_->coverage_penalty > 0) see_attention(step.attention, beams);
  const auto asked = static_cast<int64_t>(plan.request.asked.size());
  std::vector<BadScores> invalid;
  std::vector<Candidate> candidates;
  for (size_t b = 0; b < beams.size(); ++b) {
    if (!beams[b]) continue;
    const bool only_eos = beams[b]->allowed() == Allowed::only_eos;
    const auto slots = beams[b]->slots();
    const int64_t first_row = static_cast<int64_t>(b) * width;
    candidates.clear();
    bool finite = true;
    for (size_t slot = 0; slot < slots.size(); ++slot) {
      const int64_t row = first_row + static_cast<int64_t>(slot);
      const RowBars& bars = plan.bars[b][slot];
      const float log_sum = step.log_sums[row];
      finite = finite && !std::isnan(log_sum);
      const auto offer = [&](int64_t token, float score) {
        const float log_prob = score - log_sum, sum = slots[slot].sum + log_prob;
        if (score == kImpossible || sum == kImpossible || bars.bars(token)) return;
        candidates.push_back({sum, log_prob, static_cast<int32_t>(slot), token});
      };
      if (bars.closed) {
        if (bars.given) candidates.push_back({slots[slot].sum, 0.0f, static_cast<int32_t>(slot), *bars.given});
      } else if (only_eos) {
        for (int64_t i = 0; i < asked; ++i) offer(plan.request.asked[i], step.asked[row * asked + i]);
      } else {
        for (int64_t i = row * step.count; i < (row + 1) * step.count; ++i) offer(step.tokens[i], step.scores[i]);
      }
    }
    if (!finite) {
      invalid.push_back({static_cast<int64_t>(b), RowFault::not_finite});
      continue;
    }
    const auto wanted = std::min<size_t>(candidates.size(), beams[b]->wanted());
    std::partial_sort(candidates.begin(), candidates.begin() + wanted, candidates.end(), better);
    beams[b]->advance(std::span(candidates).first(wanted), first_row);
  }
  return invalid;
}

void Advance::see_attention(const at::Tensor& attention, const std::vector<Beam*>& beams) const {
  if (!attention.defined()) throw SearchError("search option coverage_penalty needs a step that gives attention");
  const at::Tensor rows = attention.to(at::kCPU, at::kFloat).contiguous();  // [B, K, S']
  const int64_t width = rows.size(1), positions = rows.size(2);
  const float* row = rows.const_data_ptr<float>();
  for (size_t b = 0; b < beams.size(); ++b, row += width * positions) {
    if (beams[b]) beams[b]->see_attention({row, beams[b]->slots().size() * positions}, positions);
  }
}

at::Tensor Advance::process(const at::Tensor& scores, const std::vector<Beam*>& beams) {
  at::Tensor edited = scores.clone();  // [B, K, V]
  const int64_t sentence_size = scores.size(1) * scores.size(2), vocab = scores.size(2);
  const float* data = scores.const_data_ptr<float>();
  float* out = edited.mutable_data_ptr<float>();
  for_each_sentence(scores, beams, at::get_num_threads(), [&](SentenceScores& rows, int64_t b) {
    const RowFault fault = rows.read({data + b * sentence_size, vocab, RowKind::as_is}, *beams[b]);
    if (fault != RowFault::none) return;  // it is found again where candidates are chosen
    rows.process(*beams[b], *processors_);
    for (int64_t slot = 0; slot < rows.slots(); ++slot) rows.write(slot, out + b * sentence_size + slot * vocab);
  });
  return edited;
}

void Advance::for_each_sentence(const at::Tensor& scores, const std::vector<Beam*>& beams, int64_t threads,
                                const SentenceWork& work) {
  const int64_t blocks = std::max<int64_t>(std::min(threads, scores.numel() / kWorthAThread), 1);
  if (static_cast<int64_t>(scores_.size()) < blocks) scores_.resize(blocks);
  parallel_for(scores.size(0), blocks, [&](int64_t block, int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      if (beams[b]) work(scores_[block], b);
    }
  });
}

at::Tensor Advance::apply_custom(at::Tensor scores, const std::vector<Beam*>& beams) {
  if (custom_->empty()) return scores;
  const at::Tensor tokens = sequences(beams, scores.size(1)).to(device_);
  scores = scores.to(device_);
  for (const auto& processor : *custom_) scores = processor->apply(scores, tokens);
  return scores.to(at::kCPU).contiguous();
}

std::vector<BadScores> Advance::on_cpu(const StepScores& step, const std::vector<Beam*>& beams) {
  at::Tensor scores = step.scores.to(at::kCPU, at::kFloat).contiguous();  // [B, K, V]
  const int64_t width = scores.size(1), vocab = scores.size(2);
  const bool logits_first = processes_logits(*options_);
  const bool whole_rows = logits_first || !custom_->empty();  // processed before candidates are chosen
  // Where nothing is to be written, no copy is made.
  const bool untouched =
      processors_->empty() && custom_->empty() &&
      std::all_of(beams.begin(), beams.end(), [](auto* beam) { return !beam || beam->allowed() == Allowed::all; });
  if (logits_first && !untouched) scores = apply_custom(process(scores, beams), beams);

  float temperature = row_temperature(*options_);
  const bool normalise = step.kind == ScoreKind::logits || logits_first || temperature != 1;
  RowKind kind = normalise ? RowKind::logits : RowKind::log_probs;
  if (normalise && (options_->numerics == Numerics::reference || (whole_rows && !logits_first))) {
    // NaN and +inf make NaN of a whole row, so the check of the log-probabilities finds them too.
    scores = log_softmax(temperature == 1 ? scores : scores / temperature);
    kind = RowKind::as_is;
    temperature = 1;
  }
  if (whole_rows && !logits_first) {
    scores = apply_custom(process(scores, beams), beams);
    kind = RowKind::as_is;
  }

  const bool draws = options_->sampling != Sampling::off && options_->rng == Rng::torch;
  if (draws) torch_draws_.begin(scores.size(0), vocab);
  const float* data = scores.const_data_ptr<float>();
  std::vector<RowFault> faults(beams.size(), RowFault::none);
  const auto advance = [&](SentenceScores& rows, int64_t b) {
    const int64_t first_row = b * width;
    Beam& beam = *beams[b];
    faults[b] = rows.read({data + first_row * vocab, vocab, kind, temperature}, beam);
    if (faults[b] != RowFault::none) return;
    if (!whole_rows) rows.process(beam, *processors_);
    if (!custom_->empty()) rows.process(beam, {});  // what the semantics bars stays barred
    beam.see_top_tokens(rows);
    if (draws && !beam.in_prompt()) {
      torch_draws_.add(rows, beam, b, first_row);
    } else {
      beam.step(rows, first_row);
    }
  };
  for_each_sentence(scores, beams, draws ? 1 : at::get_num_threads(), advance);  // draws are collected in order
  std::vector<BadScores> invalid;
  for (size_t b = 0; b < beams.size(); ++b) {
    if (faults[b] != RowFault::none) invalid.push_back({static_cast<int64_t>(b), faults[b]});
  }
  if (draws && invalid.empty()) torch_draws_.draw();
  return invalid;
}

std::vector<BadScores> Advance::on_device(const StepScores& step, const std::vector<Beam*>& beams) const {
  const int64_t batch = step.scores.size(0), width = step.scores.size(1), vocab = step.scores.size(2);
  const auto device = step.scores.device();

  // What the beams say: sums [B, K], -inf in dead slots; whether EOS, or all else, is barred [2, B].
  at::Tensor sums = at::full({batch, width}, kImpossible, at::kFloat);
  at::Tensor bars = at::zeros({2, batch}, at::kBool);
  int64_t wanted = 1;
  for (int64_t b = 0; b < batch; ++b) {
    if (!beams[b]) continue;
    float* sum = sums.mutable_data_ptr<float>() + b * width;
    for (const Beam::Slot& slot : beams[b]->slots()) *sum++ = slot.sum;
    const Allowed allowed = beams[b]->allowed();
    bars.mutable_data_ptr<bool>()[b] = allowed == Allowed::all_but_eos;
    bars.mutable_data_ptr<bool>()[batch + b] = allowed == Allowed::only_eos;
    wanted = std::max(wanted, beams[b]->wanted());
  }
  bars = bars.to(device);
  const at::Tensor forbidden = forbidden_tokens(bars[0], bars[1], marks(eos_, vocab, device));
  const bool normalise = step.kind == ScoreKind::logits || processes_logits(*options_);
  const PackedChoice choice(choose(step, sums.to(device), forbidden, wanted, normalise).pack().cpu(), vocab);

  std::vector<BadScores> bad;
  for (int64_t b = 0; b < batch; ++b) {
    if (!beams[b]) continue;
    if (choice.fault(b) != RowFault::none) {
      bad.push_back({b, choice.fault(b)});
    } else {
      beams[b]->advance(choice.candidates(b, beams[b]->wanted()), b * width);
    }
  }
  return bad;
}

}  // namespace seq2seq_kit
