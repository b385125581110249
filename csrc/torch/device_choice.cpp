#include "torch/device_choice.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "core/row_edits.h"
#include "seq2seq_kit/errors.h"
#include "torch/tensors.h"

namespace seq2seq_kit {
namespace {

using Best = std::pair<at::Tensor, at::Tensor>;  // sums and places, [B, C] each

/// Up to so many candidates, a pass over all sums for each takes less than a selection by keys of 64 bits, which reads
/// twice the bytes for every few bits of the key.
constexpr int64_t kFew = 8;

/// One maximum after another; of equals the first, as torch.max promises. Overwrites `sums` [B, N].
Best best_by_passes(at::Tensor sums, int64_t count) {
  std::vector<at::Tensor> best, places;
  for (int64_t i = 0; i < count; ++i) {
    const auto [sum, place] = at::max(sums, 1, /*keepdim=*/true);
    if (i + 1 < count) sums.scatter_(1, place, kImpossible);
    best.push_back(sum);
    places.push_back(place);
  }
  return {at::cat(best, 1), at::cat(places, 1)};
}

/// By keys that no two candidates share: the sum's bits above, the inverted place below. There is no NaN and no -0
/// among `sums` [B, N].
Best best_by_keys(const at::Tensor& sums, int64_t count) {
  if (sums.size(1) > 0xffffffff) throw SearchError("more than 2**32 candidates a sentence");
  const at::Tensor bits = sums.view(at::kInt);  // of floats, then of integers in the same order
  const at::Tensor ordered = at::bitwise_xor(bits, at::bitwise_and(at::bitwise_right_shift(bits, 31), 0x7fffffff));
  const at::Tensor place = at::arange(sums.size(1), at::TensorOptions(at::kLong).device(sums.device()));
  const at::Tensor keys = ordered.to(at::kLong) * (int64_t{1} << 32) + (0xffffffff - place);
  const at::Tensor best = std::get<0>(at::topk(keys, count, 1));
  const at::Tensor places = 0xffffffff - at::bitwise_and(best, 0xffffffff);
  return {sums.gather(1, places), places};
}

at::Tensor bits_of(const at::Tensor& floats) { return floats.contiguous().view(at::kInt).to(at::kLong); }

float float_of(int64_t bits) { return std::bit_cast<float>(static_cast<int32_t>(bits)); }

}  // namespace

at::Tensor DeviceChoice::pack() const {
  return at::cat({bits_of(sums), bits_of(log_probs), places, faults.unsqueeze(1)}, 1);
}

DeviceChoice choose(const StepScores& step, const at::Tensor& sums, const at::Tensor& forbidden, int64_t count,
                    bool normalise) {
  const at::Tensor& scores = step.scores;  // [B, K, V]
  const at::Tensor live = sums != kImpossible;
  // NaN and +inf show in the greatest score of a row.
  const at::Tensor greatest = at::amax(scores, -1).to(at::kFloat);  // [B, K]
  const at::Tensor finite = greatest < -kImpossible;
  const auto in_live_row = [&](const at::Tensor& found) { return at::logical_and(found, live).any(1).to(at::kLong); };
  at::Tensor faults = in_live_row(~finite) * static_cast<int64_t>(RowFault::not_finite);
  if (step.kind == ScoreKind::log_probs) {
    const at::Tensor above = in_live_row(at::logical_and(greatest > kRounding, finite));
    faults = at::maximum(faults, above * static_cast<int64_t>(RowFault::above_zero));
  }

  const at::Tensor log_probs = normalise ? at::log_softmax(scores, -1, at::kFloat) : scores.to(at::kFloat);
  const at::Tensor open = at::logical_and(at::logical_and(live, finite), greatest != kImpossible);  // [B, K]
  at::Tensor candidates = sums.unsqueeze(-1) + log_probs;
  candidates.masked_fill_(~open.unsqueeze(-1), kImpossible).masked_fill_(forbidden, kImpossible);
  candidates = candidates.flatten(1);  // [B, K * V]
  count = std::min(count, candidates.size(1));
  const auto [best, places] = count <= kFew ? best_by_passes(candidates, count) : best_by_keys(candidates, count);
  return {best, log_probs.flatten(1).gather(1, places), places, faults};
}

at::Tensor forbidden_tokens(const at::Tensor& bars_eos, const at::Tensor& bars_others, const at::Tensor& eos) {
  const auto in_sentence = [](const at::Tensor& bars) { return bars.view({-1, 1, 1}); };
  return at::logical_or(at::logical_and(in_sentence(bars_eos), eos), at::logical_and(in_sentence(bars_others), ~eos));
}

at::Tensor marks(const std::vector<int64_t>& ids, int64_t vocab, at::Device device) {
  at::Tensor marked = at::zeros({vocab}, at::TensorOptions(at::kBool).device(device));
  if (!ids.empty()) marked.index_fill_(0, to_tensor(ids, device), true);
  return marked;
}

PackedChoice::PackedChoice(const at::Tensor& packed, int64_t vocab)
    : packed_(packed.contiguous()),
      data_(packed_.const_data_ptr<int64_t>()),
      count_((packed.size(1) - 1) / 3),
      vocab_(vocab) {}

RowFault PackedChoice::fault(int64_t sentence) const { return static_cast<RowFault>(row(sentence)[3 * count_]); }

std::vector<Candidate> PackedChoice::candidates(int64_t sentence, int64_t wanted) const {
  const int64_t *sums = row(sentence), *log_probs = sums + count_, *places = log_probs + count_;
  std::vector<Candidate> candidates;
  for (int64_t i = 0; i < std::min(wanted, count_) && float_of(sums[i]) != kImpossible; ++i) {
    candidates.push_back(
        {float_of(sums[i]), float_of(log_probs[i]), static_cast<int32_t>(places[i] / vocab_), places[i] % vocab_});
  }
  return candidates;
}

}  // namespace seq2seq_kit
