#include "torch/candidates.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <limits>

#include "seq2seq_kit/errors.h"
#include "torch/tensors.h"

namespace seq2seq_kit {
namespace {

/// Log-softmax over V in float32 by ATen: the reference numerics. Rows that are -inf throughout stay so.
at::Tensor log_softmax(const at::Tensor& logits) {
  const at::Tensor log_probs = at::log_softmax(logits, -1, at::kFloat);
  const at::Tensor impossible = at::amax(logits, -1, /*keepdim=*/true) == -std::numeric_limits<float>::infinity();
  return at::masked_fill(log_probs, impossible, -std::numeric_limits<float>::infinity());
}

/// Float bits as integers of the same order (there is no NaN and no -0 among sums).
at::Tensor ordered_bits(const at::Tensor& x) {
  const at::Tensor bits = x.view(at::kInt);
  return at::bitwise_xor(bits, at::bitwise_and(at::bitwise_right_shift(bits, 31), 0x7fffffff)).to(at::kLong);
}

float from_ordered_bits(int32_t bits) { return std::bit_cast<float>(bits ^ ((bits >> 31) & 0x7fffffff)); }

}  // namespace

CandidateFinder::CandidateFinder(const SearchOptions& options, bool on_device)
    : options_(&options), eos_(options.eos_ids), on_device_(on_device) {
  std::sort(eos_.begin(), eos_.end());
}

Candidates CandidateFinder::find(const StepScores& step, const std::vector<const Beam*>& beams) {
  return step.scores.is_cpu() && !on_device_ ? find_on_cpu(step, beams) : find_on_device(step, beams);
}

Candidates CandidateFinder::find_on_cpu(const StepScores& step, const std::vector<const Beam*>& beams) {
  at::Tensor scores = step.scores.to(at::kFloat).contiguous();  // [B, K, V]
  const bool logits = step.kind == ScoreKind::logits;
  const int64_t width = scores.size(1), vocab = scores.size(2);
  const bool by_aten = logits && options_->numerics == Numerics::reference;

  Candidates found;
  found.best.resize(beams.size());
  if (by_aten) {
    // NaN and +inf make NaN of a whole row, so the check of the log-probabilities finds them too.
    scores = log_softmax(scores);
  }
  const float* data = scores.const_data_ptr<float>();
  for (size_t b = 0; b < beams.size(); ++b) {
    const Beam& beam = *beams[b];
    const float* rows = data + static_cast<int64_t>(b) * width * vocab;
    const SelectionTask task{rows, vocab, beam.sums(), beam.wanted(), beam.allowed(), eos_, logits && !by_aten};
    if (!selector_.select(task)) found.invalid.push_back(static_cast<int64_t>(b));
    found.best[b].assign(selector_.best().begin(), selector_.best().end());
  }
  return found;
}

Candidates CandidateFinder::find_on_device(const StepScores& step, const std::vector<const Beam*>& beams) const {
  const float impossible = -std::numeric_limits<float>::infinity();
  const at::Tensor scores = step.scores.to(at::kFloat);  // [B, K, V]
  const int64_t batch = scores.size(0), width = scores.size(1), vocab = scores.size(2);
  const auto device = scores.device();

  // What the beams say, in one upload: sums [B, K], -inf in dead slots; allowed [B].
  at::Tensor sums_on_cpu = at::full({batch, width}, impossible, at::kFloat);
  at::Tensor allowed_on_cpu = at::empty({batch, 1, 1}, at::kLong);
  int64_t wanted = 0;
  for (int64_t b = 0; b < batch; ++b) {
    std::copy(beams[b]->sums().begin(), beams[b]->sums().end(), sums_on_cpu.mutable_data_ptr<float>() + b * width);
    allowed_on_cpu.mutable_data_ptr<int64_t>()[b] = static_cast<int64_t>(beams[b]->allowed());
    wanted = std::max(wanted, beams[b]->wanted());
  }
  wanted = std::min(wanted, width * vocab);
  if (width * vocab > 0xffffffff) throw SearchError("more than 2**32 candidates a sentence");
  const at::Tensor sums = sums_on_cpu.to(device).unsqueeze(-1);  // [B, K, 1]
  const at::Tensor allowed = allowed_on_cpu.to(device);
  const at::Tensor live = sums != impossible;

  at::Tensor eos = at::zeros({vocab}, at::TensorOptions(at::kBool).device(device));
  if (!eos_.empty()) eos.index_fill_(0, to_tensor(eos_, device), true);
  const at::Tensor forbidden =
      at::logical_or(at::logical_and(allowed == static_cast<int64_t>(Allowed::all_but_eos), eos),
                     at::logical_and(allowed == static_cast<int64_t>(Allowed::only_eos), ~eos));

  const at::Tensor log_probs = step.kind == ScoreKind::logits ? log_softmax(scores) : scores;
  const at::Tensor bad = at::logical_or(at::isnan(log_probs), log_probs == std::numeric_limits<float>::infinity());
  const at::Tensor invalid = at::logical_and(bad, live).reshape({batch, -1}).any(1);  // [B]

  // Keys that no two candidates share: the sum's bits above, the inverted place (slot * V + token) below.
  const at::Tensor sum =
      at::masked_fill(sums + log_probs, at::logical_or(forbidden, at::logical_or(bad, ~live)), impossible);
  const at::Tensor place = at::arange(width * vocab, at::TensorOptions(at::kLong).device(device));
  const at::Tensor keys =
      ordered_bits(sum.contiguous()).reshape({batch, -1}) * (int64_t{1} << 32) + (0xffffffff - place);
  const at::Tensor best = std::get<0>(at::topk(keys, wanted, 1));  // [B, k], descending

  const at::Tensor best_place = 0xffffffff - at::bitwise_and(best, 0xffffffff);
  const at::Tensor best_log_probs = log_probs.reshape({batch, -1}).gather(1, best_place);
  const at::Tensor log_prob_bits = best_log_probs.contiguous().view(at::kInt).to(at::kLong);
  const at::Tensor packed = at::cat({best, log_prob_bits, invalid.unsqueeze(1).to(at::kLong)}, 1).cpu();

  Candidates found;
  found.best.resize(batch);
  const auto values = packed.accessor<int64_t, 2>();
  for (int64_t b = 0; b < batch; ++b) {
    if (values[b][2 * wanted] != 0) found.invalid.push_back(b);
    for (int64_t i = 0; i < std::min(wanted, beams[b]->wanted()); ++i) {
      const int64_t key = values[b][i];
      const float total = from_ordered_bits(static_cast<int32_t>(key >> 32));
      if (total == impossible) break;
      const int64_t at = 0xffffffff - (key & 0xffffffff);
      const float log_prob = std::bit_cast<float>(static_cast<int32_t>(values[b][wanted + i]));
      found.best[b].push_back({total, log_prob, static_cast<int32_t>(at / vocab), at % vocab});
    }
  }
  return found;
}

}  // namespace seq2seq_kit
