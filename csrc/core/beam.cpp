#include "core/beam.h"

#include <algorithm>

#include "core/ranking.h"
#include "core/sentence_scores.h"

namespace seq2seq_kit {

Beam::Beam(const SearchOptions& options, const SentenceInput& sentence)
    : options_(&options),
      sentence_(&sentence),
      limit_(length_limit(options, sentence)),
      slots_{{0.0f, options.bos_id, 0, Backpointers::kStart, 0}},
      sequences_{options.bos_id} {}

void Beam::step(SentenceScores& scores, int64_t first_row) { advance(scores.best(wanted()), first_row); }

HypothesisView Beam::view(int64_t slot) const {
  const int64_t width = length_ + 1;
  return {std::span(sequences_).subspan(slot * width, width), *sentence_, limit_, slots_[slot].state};
}

void Beam::begin(int64_t first_row) {
  first_row_ = first_row;
  next_slots_.clear();
  next_sequences_.clear();
}

int64_t Beam::record(const Candidate& candidate) {
  return backpointers_.add(candidate, first_row_ + candidate.slot, slots_[candidate.slot].node);
}

void Beam::keep(const Candidate& candidate, int64_t node) {
  int64_t state = 0;
  if (sentence_->automaton) {
    const auto& arcs = sentence_->automaton->arcs[slots_[candidate.slot].state];
    if (const auto arc = arcs.find(candidate.token); arc != arcs.end()) state = arc->second;
  }
  next_slots_.push_back({candidate.score, candidate.token, candidate.slot, node, state});
  const auto past = view(candidate.slot).sequence;
  next_sequences_.insert(next_sequences_.end(), past.begin(), past.end());
  next_sequences_.push_back(candidate.token);
}

void Beam::end() {
  slots_.swap(next_slots_);
  sequences_.swap(next_sequences_);
  ++length_;
}

Hypothesis Beam::write_out(int64_t node, float sum, double score, Finish finish) const {
  Hypothesis hypothesis = backpointers_.write_out(node);
  hypothesis.log_prob = sum;
  hypothesis.score = score;
  hypothesis.finish = finish;
  return hypothesis;
}

double Beam::score(float sum, int64_t length) const { return ranking_score(*options_, *sentence_, sum, length); }

std::vector<Hypothesis> Beam::best_so_far() const {
  std::vector<Hypothesis> best = hypotheses();
  if (length_ == 0) return best;
  for (const Slot& slot : slots_) {  // best first
    if (static_cast<int64_t>(best.size()) >= options_->n_best) break;
    best.push_back(write_out(slot.node, slot.sum, score(slot.sum, length_), Finish::deadline));
  }
  return best;
}

}  // namespace seq2seq_kit
