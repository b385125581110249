#include "torch/device_beams.h"

#include <ATen/ATen.h>

#include <string>

#include "core/row_edits.h"
#include "seq2seq_kit/errors.h"
#include "torch/tensors.h"

namespace seq2seq_kit {

DeviceBeams::DeviceBeams(const SearchOptions& options, const std::vector<SentenceInput>& sentences, at::Device device)
    : options_(&options), batch_(static_cast<int64_t>(sentences.size())), beams_(options.beam_size) {
  const auto whole = at::TensorOptions(at::kLong).device(device);
  tokens_ = at::full({batch_, beams_}, options.bos_id, whole);
  sums_ = at::full({batch_, beams_}, kImpossible, whole.dtype(at::kFloat));
  sums_.select(1, 0).zero_();
  found_ = at::zeros({batch_}, whole);
  position_ = at::zeros({batch_}, whole);
  slots_ = at::arange(beams_, whole).unsqueeze(0);
  std::vector<int64_t> least, limit;
  for (const SentenceInput& sentence : sentences) {
    least.push_back(least_length(options, sentence));
    limit.push_back(length_limit(options, sentence));
  }
  least_ = to_tensor(least, device);
  limit_ = to_tensor(limit, device);
}

DeviceChoice DeviceBeams::advance(const StepScores& step) {
  const int64_t width = step.scores.size(1), vocab = step.scores.size(2);
  if (!eos_.defined()) eos_ = marks(options_->eos_ids, vocab, sums_.device());
  if (eos_.size(0) != vocab) {
    throw SearchError("the step scores " + std::to_string(vocab) + " tokens, and scored " +
                      std::to_string(eos_.size(0)) + " before");
  }
  const bool has_eos = !options_->eos_ids.empty();
  const at::Tensor late = position_ >= limit_;
  // The limit wins over the least length.
  const at::Tensor forbidden = has_eos ? forbidden_tokens(at::logical_and(position_ < least_, ~late), late, eos_)
                                       : at::zeros({1, 1, 1}, eos_.options());
  DeviceChoice choice = choose(step, sums_.narrow(1, 0, width), forbidden, beams_, step.kind == ScoreKind::logits);
  if (choice.sums.size(1) < beams_) {  // the first of all steps, with fewer tokens than slots
    const std::vector<int64_t> missing = {0, beams_ - choice.sums.size(1)};
    choice.sums = at::constant_pad_nd(choice.sums, missing, kImpossible);
    choice.log_probs = at::constant_pad_nd(choice.log_probs, missing, kImpossible);
    choice.places = at::constant_pad_nd(choice.places, missing, 0);
  }

  // Who ends, and who goes on, in the order in which they were chosen.
  const at::Tensor token = choice.places.remainder(vocab), slot = choice.places.floor_divide(vocab);  // [B, K]
  const at::Tensor open = slots_ < (beams_ - found_).unsqueeze(1);  // slots that no finished hypothesis has taken
  const at::Tensor taken = at::logical_and(open, choice.sums != kImpossible);
  const at::Tensor ends = has_eos ? eos_.index_select(0, token.flatten()).view_as(token)
                                  : (position_ + 1 >= limit_).unsqueeze(1).expand_as(token);
  const at::Tensor goes_on = at::logical_and(taken, ~ends);
  const at::Tensor order = at::argsort(at::where(goes_on, slots_, slots_ + beams_), int64_t{1});
  const at::Tensor is_live = slots_ < goes_on.sum(1, /*keepdim=*/true);
  const at::Tensor from = at::where(is_live, order, order.narrow(1, 0, 1));

  chosen_ = token.gather(1, from);
  parents_ = slot.gather(1, from);
  sums_.copy_(choice.sums.gather(1, from).masked_fill(~is_live, kImpossible));
  found_.add_(at::logical_and(taken, ends).sum(1));
  return choice;
}

void DeviceBeams::feed() {
  tokens_.copy_(chosen_);
  position_.add_(1);
}

}  // namespace seq2seq_kit
