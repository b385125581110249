#include "core/sentence_scores.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/kernels/row.h"

namespace seq2seq_kit {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace

RowFault SentenceScores::read(const RawScores& raw, const Beam& beam) {
  raw_ = raw;
  processors_ = nullptr;
  const auto slots = static_cast<int64_t>(beam.slots().size());
  rows_.clear();
  maxima_.resize(slots * kernels::block_count(raw.vocab));
  if (static_cast<int64_t>(edits_.size()) < slots) edits_.resize(slots);
  const float scale = 1.0f / raw.temperature;
  for (int64_t slot = 0; slot < slots; ++slot) {
    edits_[slot].reset(raw.vocab);
    const float* row = raw_row(slot);
    const float max = kernels::block_maxima(row, raw.vocab, block_maxima(slot));
    if (max == kInfinity) return RowFault::not_finite;
    if (raw.kind == RowKind::log_probs && max > kRounding) return RowFault::above_zero;
    // Where a row is normalised, its sum tells of NaN at no cost.
    const bool summed = raw.kind == RowKind::logits && max != kImpossible;
    const float log_sum = summed ? kernels::log_sum_exp(row, raw.vocab, max, scale) : 0.0f;
    if (summed ? std::isnan(log_sum) : kernels::has_nan(row, raw.vocab)) return RowFault::not_finite;
    const RowNorm norm = summed ? RowNorm{max, scale, log_sum} : RowNorm{};
    rows_.push_back({beam.slots()[slot].sum, norm, max == kImpossible});
  }
  return RowFault::none;
}

void SentenceScores::process(const Beam& beam, const Processors& processors) {
  processors_ = &processors;
  if (beam.allowed() == Allowed::all && processors.empty()) return;
  for (int64_t slot = 0; slot < slots(); ++slot) process_row(beam, slot);
}

void SentenceScores::reprocess(const Beam& beam, const std::map<int64_t, float>& penalties, int64_t first,
                               int64_t last) {
  for (int64_t slot = first; slot < last; ++slot) {
    edits_[slot].reset(raw_.vocab);
    ScoreRow scores = row(slot);
    for (const auto& [token, penalty] : penalties) scores.set(token, scores.get(token) - penalty);
    if (processors_) process_row(beam, slot);
  }
}

void SentenceScores::process_row(const Beam& beam, int64_t slot) {
  const Allowed allowed = beam.allowed();
  const auto& eos = beam.options().eos_ids;
  ScoreRow scores = row(slot);
  if (allowed == Allowed::only_eos) scores.only(eos);
  if (allowed == Allowed::all_but_eos) {
    for (const int64_t token : eos) scores.ban(token);
  }
  const HypothesisView hypothesis = beam.processors_view(slot);
  for (const auto& processor : *processors_) processor->apply(hypothesis, scores);
}

std::span<const Candidate> SentenceScores::best(int64_t wanted, int64_t first, int64_t last) {
  best_.clear();
  if (wanted <= 0) return best_;
  for (int64_t slot = first; slot < last; ++slot) offer_row(slot, wanted);
  return best_;
}

void SentenceScores::offer_row(int64_t slot, int64_t wanted) {
  const float sum = rows_[slot].sum;
  const RowNorm norm = rows_[slot].norm;
  const RowEdits& edits = edits_[slot];
  const bool edited = !edits.empty();
  float lowest = least(wanted);
  const auto offer_token = [&](int64_t token, float log_prob) {
    const float total = sum + log_prob;
    if (total < lowest || total == kImpossible) return;
    offer({total, log_prob, static_cast<int32_t>(slot), token}, wanted);
    lowest = least(wanted);
  };
  if (!edits.closed() && !rows_[slot].dead) {
    const float* row = raw_row(slot);
    const float* maxima = block_maxima(slot);
    const float shift = edits.shift();
    const int64_t blocks = kernels::block_count(raw_.vocab);
    const auto offer_block = [&](int64_t block) {
      // Sums grow with scores, so a block's maximum bounds its block.
      const float most = sum + (norm(maxima[block]) + shift);
      if (most < lowest || most == kImpossible) return;
      const int64_t end = std::min((block + 1) * kernels::kBlock, raw_.vocab);
      for (int64_t token = block * kernels::kBlock; token < end; ++token) {
        const float log_prob = norm(row[token]) + shift;
        if (sum + log_prob < lowest) continue;
        if (edited && (edits.find(token) || !edits.open(token))) continue;
        offer_token(token, log_prob);
      }
    };
    // What the block of the greatest score offers makes it unnecessary to look at most others.
    const int64_t first = std::max_element(maxima, maxima + blocks) - maxima;
    offer_block(first);
    for (int64_t block = 0; block < blocks; ++block) {
      if (block != first) offer_block(block);
    }
  }
  for (size_t i = 0; i < edits.tokens().size(); ++i) offer_token(edits.tokens()[i], edits.values()[i]);
}

float SentenceScores::least(int64_t wanted) const {
  return static_cast<int64_t>(best_.size()) < wanted ? kImpossible : best_.back().score;
}

void SentenceScores::offer(const Candidate& candidate, int64_t wanted) {
  if (static_cast<int64_t>(best_.size()) == wanted) {
    if (!better(candidate, best_.back())) return;
    best_.pop_back();
  }
  best_.insert(std::upper_bound(best_.begin(), best_.end(), candidate, better), candidate);
}

void SentenceScores::write(int64_t slot, float* out) const {
  const RowNorm norm = rows_[slot].norm;
  const RowEdits& edits = edits_[slot];
  if (edits.closed()) {
    std::fill(out, out + raw_.vocab, kImpossible);
  } else {
    const float* row = raw_row(slot);
    const float shift = edits.shift();
    for (int64_t token = 0; token < raw_.vocab; ++token) out[token] = norm(row[token]) + shift;
    for (int64_t token = 0; edits.masked() && token < raw_.vocab; ++token) {
      if (!edits.open(token)) out[token] = kImpossible;
    }
  }
  for (size_t i = 0; i < edits.tokens().size(); ++i) out[edits.tokens()[i]] = edits.values()[i];
}

float* SentenceScores::block_maxima(int64_t slot) { return maxima_.data() + slot * kernels::block_count(raw_.vocab); }

}  // namespace seq2seq_kit
