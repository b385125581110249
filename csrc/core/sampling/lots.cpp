#include "core/sampling/lots.h"

#include <algorithm>

#include "core/kernels/row.h"
#include "core/kernels/weights.h"
#include "core/sampling/philox.h"

namespace seq2seq_kit {

Lots Lots::of_slot(SentenceScores& scores, int64_t slot, const SearchOptions& options) {
  Lots lots(scores, slot, slot + 1, 1);
  if (const auto weight = lots.read(slot, options)) {
    lots.max_ = lots.row(slot).max();
    lots.total_ = *weight;
  } else {
    lots.weigh();
  }
  return lots;
}

Lots Lots::of_all(SentenceScores& scores, const SearchOptions& options) {
  Lots lots(scores, 0, scores.slots(),
            options.semantics == Semantics::hf ? static_cast<float>(options.temperature) : 1.0f);
  for (int64_t slot = 0; slot < scores.slots(); ++slot) {
    lots.read(slot, options);
    const SampleRow row = lots.row(slot);
    const float sum = scores.sum(slot);
    for (float& score : row.scores) score += sum;
    for (float& score : row.maxima) score += sum;
  }
  lots.weigh();
  return lots;
}

Lots::Lots(SentenceScores& scores, int64_t first, int64_t last, float temperature)
    : scores_(&scores),
      buffers_(&scores.sample_buffers()),
      first_(first),
      last_(last),
      blocks_(kernels::block_count(scores.vocab())),
      temperature_(temperature) {
  const int64_t slots = last - first;
  buffers_->scores.resize(slots * scores.vocab());
  buffers_->maxima.resize(slots * blocks_);
  buffers_->sums.resize(slots * blocks_);
}

SampleRow Lots::row(int64_t slot) const {
  const int64_t vocab = scores_->vocab(), at = slot - first_;
  return {{buffers_->scores.data() + at * vocab, static_cast<size_t>(vocab)},
          {buffers_->maxima.data() + at * blocks_, static_cast<size_t>(blocks_)}};
}

int64_t* Lots::sums(int64_t slot) const { return buffers_->sums.data() + (slot - first_) * blocks_; }

std::optional<int64_t> Lots::read(int64_t slot, const SearchOptions& options) const {
  SampleRow row = this->row(slot);
  scores_->write(slot, row.scores.data());
  if (temperature_ != 1) {
    for (float& score : row.scores) score /= temperature_;
  }
  const float max = kernels::block_maxima(row.scores.data(), row.vocab(), row.maxima.data());
  return max == kImpossible ? std::nullopt : warp(options, row, sums(slot), *buffers_);
}

void Lots::weigh() {
  for (int64_t slot = first_; slot < last_; ++slot) max_ = std::max(max_, row(slot).max());
  for (int64_t slot = first_; slot < last_; ++slot) {
    const SampleRow row = this->row(slot);
    total_ += kernels::weigh(row.scores.data(), row.vocab(), max_, row.maxima.data(), sums(slot));
  }
}

Candidate Lots::draw(uint64_t random) const {
  int64_t left = scale_to(random, total_);
  for (int64_t slot = first_; slot < last_; ++slot) {
    const int64_t* sum = sums(slot);
    for (int64_t block = 0; block < blocks_; ++block) {
      if (left >= sum[block]) {
        left -= sum[block];
        continue;
      }
      const int64_t start = block * kernels::kBlock;
      int32_t weights[kernels::kBlock];
      kernels::weights(row(slot).scores.data() + start, std::min(kernels::kBlock, scores_->vocab() - start), max_,
                       weights);
      for (int64_t token = start;; ++token) {
        left -= weights[token - start];
        if (left >= 0) continue;
        const float log_prob = scores_->row(slot).get(token) / temperature_;
        return {scores_->sum(slot) + log_prob, log_prob, static_cast<int32_t>(slot), token};
      }
    }
  }
  return {kImpossible, kImpossible, static_cast<int32_t>(first_), 0};  // nothing is possible
}

void Lots::remove(const Candidate& drawn) {
  float& score = row(drawn.slot).scores[drawn.token];
  int32_t weight;
  kernels::weights(&score, 1, max_, &weight);
  sums(drawn.slot)[drawn.token / kernels::kBlock] -= weight;
  total_ -= weight;
  score = kImpossible;
}

}  // namespace seq2seq_kit
