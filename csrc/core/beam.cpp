#include "core/beam.h"

#include <algorithm>
#include <optional>

#include "core/constraints/phrases.h"
#include "core/ranking.h"
#include "core/sampling/draw_candidates.h"
#include "core/sentence_scores.h"

namespace seq2seq_kit {

Beam::Beam(const SearchOptions& options, const SentenceInput& sentence)
    : options_(&options),
      sentence_(&sentence),
      limit_(length_limit(options, sentence)),
      coverage_(options),
      slots_{{0.0f, options.bos_id, 0, Backpointers::kStart, 0}},
      sequences_{options.bos_id} {}

void Beam::step(SentenceScores& scores, int64_t first_row) {
  if (options_->sampling == Sampling::beams) return advance(draw_candidates(scores, *this), first_row);
  advance(scores.best(wanted()), first_row);
}

void Beam::see_top_tokens(SentenceScores& scores) {
  tops_.clear();
  for (int64_t slot = 0; options_->top_tokens > 0 && slot < scores.slots(); ++slot) {
    tops_.push_back(backpointers_.add_top(scores.best(options_->top_tokens, slot, slot + 1)));
  }
}

HypothesisView Beam::view(int64_t slot) const {
  const int64_t width = length_ + 1;
  return {std::span(sequences_).subspan(slot * width, width), *sentence_, limit_, slots_[slot].state};
}

void Beam::begin(int64_t first_row) {
  first_row_ = first_row;
  next_slots_.clear();
  next_sequences_.clear();
  coverage_.begin();
}

int64_t Beam::record(const Candidate& candidate) {
  const int64_t top = tops_.empty() ? -1 : tops_[candidate.slot];
  return backpointers_.add(candidate, first_row_ + candidate.slot, slots_[candidate.slot].node, top);
}

void Beam::keep(const Candidate& candidate, int64_t node) {
  int64_t state = slots_[candidate.slot].state;
  if (sentence_->automaton) state = sentence_->automaton->next(state, candidate.token);
  next_slots_.push_back({candidate.score, candidate.token, candidate.slot, node, state});
  const auto past = view(candidate.slot).sequence;
  next_sequences_.insert(next_sequences_.end(), past.begin(), past.end());
  next_sequences_.push_back(candidate.token);
  coverage_.keep(candidate.slot);
}

void Beam::end() {
  slots_.swap(next_slots_);
  sequences_.swap(next_sequences_);
  coverage_.end();
  ++length_;
}

void Beam::drop(std::span<const bool> gone) {
  const int64_t width = length_ + 1;
  next_slots_.clear();
  next_sequences_.clear();
  for (size_t slot = 0; slot < slots_.size(); ++slot) {
    if (gone[slot]) continue;
    next_slots_.push_back(slots_[slot]);
    const auto sequence = std::span(sequences_).subspan(static_cast<int64_t>(slot) * width, width);
    next_sequences_.insert(next_sequences_.end(), sequence.begin(), sequence.end());
  }
  coverage_.drop(gone);
  slots_.swap(next_slots_);
  sequences_.swap(next_sequences_);
}

Hypothesis Beam::write_out(int64_t node, float sum, double score, Finish finish) const {
  Hypothesis hypothesis = backpointers_.write_out(node);
  hypothesis.log_prob = sum;
  hypothesis.score = score;
  hypothesis.finish = finish;
  hypothesis.unmet = unmet_constraints(*sentence_, hypothesis.tokens);
  return hypothesis;
}

double Beam::score(float sum, int64_t length) const { return ranking_score(*options_, *sentence_, sum, length); }

void Beam::stop(std::span<const bool> ended) {
  std::optional<size_t> likeliest;
  for (size_t slot = 0; slot < slots_.size(); ++slot) {
    if (is_over(static_cast<int64_t>(slot))) continue;
    if (!likeliest || slots_[slot].sum > slots_[*likeliest].sum) likeliest = slot;
  }
  stopped_ = likeliest && ended[*likeliest];
}

std::vector<int64_t> Beam::settled() const {
  const std::vector<Hypothesis> finished = hypotheses();
  std::vector<int64_t> shared;
  bool first = true;
  const auto agree = [&](std::span<const int64_t> tokens) {
    if (first) shared.assign(tokens.begin(), tokens.end());
    first = false;
    const auto parted = std::mismatch(shared.begin(), shared.end(), tokens.begin(), tokens.end()).first;
    shared.erase(parted, shared.end());
  };
  if (!finished.empty()) agree(finished.front().tokens);
  if (!done()) {
    for (int64_t slot = 0; slot < static_cast<int64_t>(slots_.size()); ++slot) agree(view(slot).generated());
  }
  return shared;
}

double Beam::score_so_far(int64_t slot, int64_t length) const {
  return score(slots_[slot].sum, length) + coverage_.penalty_so_far(slot);
}

std::vector<Hypothesis> Beam::best_so_far(Finish cut) const {
  std::vector<Hypothesis> best = hypotheses();
  if (length_ == 0) return best;
  std::vector<Hypothesis> live;
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (is_over(static_cast<int64_t>(i))) continue;
    live.push_back(write_out(slots_[i].node, slots_[i].sum, score_so_far(static_cast<int64_t>(i)), cut));
  }
  std::stable_sort(live.begin(), live.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
  for (Hypothesis& hypothesis : live) {
    if (static_cast<int64_t>(best.size()) < options_->n_best) best.push_back(std::move(hypothesis));
  }
  return best;
}

}  // namespace seq2seq_kit
