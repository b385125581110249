#include "core/select.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/kernels/row.h"

namespace seq2seq_kit {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kImpossible = -kInfinity;

/// From a raw score to a hypothesis' sum. Increasing in the score, so that a block's maximum bounds its block.
struct RowScore {
  float max, log_sum, sum;

  float log_prob(float score) const { return (score - max) - log_sum; }
  float total(float score) const { return sum + log_prob(score); }
};

bool contains(std::span<const int64_t> tokens, int64_t token) {
  return std::find(tokens.begin(), tokens.end(), token) != tokens.end();
}

}  // namespace

bool Selector::select(const SelectionTask& task) {
  best_.clear();
  maxima_.resize(kernels::block_count(task.vocab));
  // Slots and tokens are visited in ascending order, so a candidate that only equals the least one ranks below it.
  for (size_t slot = 0; slot < task.sums.size(); ++slot) {
    const float* row = task.scores + static_cast<int64_t>(slot) * task.vocab;
    const float max = kernels::block_maxima(row, task.vocab, maxima_.data());
    if (max == kInfinity) return false;
    // Where a row is normalised, its sum tells of NaN at no cost.
    const bool summed = task.normalise && max != kImpossible;
    const float log_sum = summed ? kernels::log_sum_exp(row, task.vocab, max) : 0.0f;
    if (summed ? std::isnan(log_sum) : kernels::has_nan(row, task.vocab)) return false;
    if (max == kImpossible) continue;

    const RowScore scored{task.normalise ? max : 0.0f, log_sum, task.sums[slot]};
    const auto offer_token = [&](int64_t token) {
      const float total = scored.total(row[token]);
      if (total > least(task.wanted)) {
        offer({total, scored.log_prob(row[token]), static_cast<int32_t>(slot), token}, task.wanted);
      }
    };

    if (task.allowed == Allowed::only_eos) {
      for (const int64_t token : task.eos) offer_token(token);
      continue;
    }
    for (int64_t block = 0; block < kernels::block_count(task.vocab); ++block) {
      if (!(scored.total(maxima_[block]) > least(task.wanted))) continue;
      const int64_t end = std::min((block + 1) * kernels::kBlock, task.vocab);
      for (int64_t token = block * kernels::kBlock; token < end; ++token) {
        if (task.allowed == Allowed::all_but_eos && contains(task.eos, token)) continue;
        offer_token(token);
      }
    }
  }
  return true;
}

float Selector::least(int64_t wanted) const {
  return static_cast<int64_t>(best_.size()) < wanted ? kImpossible : best_.back().score;
}

void Selector::offer(const Candidate& candidate, int64_t wanted) {
  if (static_cast<int64_t>(best_.size()) == wanted) best_.pop_back();
  const auto better = [](const Candidate& a, const Candidate& b) { return a.score > b.score; };
  best_.insert(std::upper_bound(best_.begin(), best_.end(), candidate, better), candidate);
}

}  // namespace seq2seq_kit
