#include "torch/torch_draws.h"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>

#include "core/methods/samples.h"
#include "core/sampling/lots.h"

namespace seq2seq_kit {

TorchDraws::TorchDraws(const SearchOptions& options) : options_(&options) {
  if (options.seed >= 0) generator_ = at::detail::createCPUGenerator(static_cast<uint64_t>(options.seed));
}

void TorchDraws::begin(int64_t batch, int64_t vocab) {
  entries_.clear();
  scores_ = at::zeros({batch, options_->beam_size, vocab}, at::kFloat);
  log_probs_ = at::empty_like(scores_);
}

void TorchDraws::add(SentenceScores& scores, Beam& beam, int64_t b, int64_t first_row) {
  entries_.push_back({&beam, b, first_row});
  const int64_t vocab = scores.vocab();
  const auto row = [&](const at::Tensor& tensor, int64_t k) {
    return tensor.mutable_data_ptr<float>() + (b * options_->beam_size + k) * vocab;
  };
  for (int64_t slot = 0; slot < scores.slots(); ++slot) scores.write(slot, row(log_probs_, slot));
  const auto copy = [&](const Lots& lots, int64_t slot, int64_t k) {
    std::copy_n(lots.row(slot).scores.data(), vocab, row(scores_, k));
  };
  if (options_->sampling == Sampling::tokens) {
    const auto& samples = static_cast<const SampleBeam&>(beam);
    for (size_t i = 0; i < samples.running().size(); ++i) {
      const int64_t slot = samples.slot_of(i);
      const Lots lots = Lots::of_slot(scores, slot, *options_);
      if (lots.any()) copy(lots, slot, samples.running()[i]);
    }
  } else if (const Lots lots = Lots::of_all(scores, *options_); lots.any()) {
    scores_.select(0, b).fill_(kImpossible);
    for (int64_t slot = 0; slot < scores.slots(); ++slot) copy(lots, slot, slot);
  }
}

void TorchDraws::draw() {
  if (entries_.empty()) return;
  if (options_->sampling == Sampling::tokens) {
    draw_tokens(at::softmax(scores_.flatten(0, 1), -1));
  } else {
    draw_candidates(at::softmax(scores_.flatten(1, 2), -1));
  }
}

Candidate TorchDraws::candidate(const Entry& entry, int64_t slot, int64_t token) const {
  const int64_t row = entry.sentence * log_probs_.size(1) + slot;
  float log_prob = log_probs_.const_data_ptr<float>()[row * log_probs_.size(2) + token];
  if (options_->sampling == Sampling::beams && options_->semantics == Semantics::hf) {
    log_prob /= static_cast<float>(options_->temperature);
  }
  return {entry.beam->slots()[slot].sum + log_prob, log_prob, static_cast<int32_t>(slot), token};
}

void TorchDraws::draw_tokens(const at::Tensor& weights) {
  const at::Tensor drawn = at::multinomial(weights, 1, /*replacement=*/false, generator_);  // [B * K, 1]
  for (const Entry& entry : entries_) {
    const auto& samples = static_cast<const SampleBeam&>(*entry.beam);
    std::vector<Candidate> candidates;
    for (size_t i = 0; i < samples.running().size(); ++i) {
      const int64_t row = entry.sentence * options_->beam_size + samples.running()[i];
      candidates.push_back(candidate(entry, samples.slot_of(i), drawn.const_data_ptr<int64_t>()[row]));
    }
    entry.beam->advance(candidates, entry.first_row);
  }
}

void TorchDraws::draw_candidates(const at::Tensor& weights) {
  int64_t wanted = 0;
  for (const Entry& entry : entries_) wanted = std::max(wanted, entry.beam->wanted());
  wanted = std::min(wanted, weights.size(1));
  const at::Tensor places = at::multinomial(weights, wanted, /*replacement=*/false, generator_);  // [B, wanted]
  const int64_t vocab = scores_.size(2);
  for (const Entry& entry : entries_) {
    std::vector<Candidate> candidates;
    for (int64_t i = 0; i < std::min(wanted, entry.beam->wanted()); ++i) {
      const int64_t place = places.const_data_ptr<int64_t>()[entry.sentence * wanted + i];
      // Where nothing else is left, multinomial draws what has no weight or no hypothesis.
      if (weights.const_data_ptr<float>()[entry.sentence * weights.size(1) + place] == 0) continue;
      if (place / vocab >= static_cast<int64_t>(entry.beam->slots().size())) continue;
      const Candidate drawn = candidate(entry, place / vocab, place % vocab);
      if (drawn.score != kImpossible) candidates.push_back(drawn);
    }
    if (options_->semantics != Semantics::hf) std::sort(candidates.begin(), candidates.end(), better);
    entry.beam->advance(candidates, entry.first_row);
  }
}

}  // namespace seq2seq_kit
