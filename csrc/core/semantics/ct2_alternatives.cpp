#include "core/semantics/ct2_alternatives.h"

#include <algorithm>

#include "core/sentence_scores.h"
#include "seq2seq_kit/errors.h"

namespace seq2seq_kit {

Ct2Alternatives::Ct2Alternatives(const SearchOptions& options, const SentenceInput& sentence)
    : RankedBeam(options, sentence),
      prompt_(std::min(limit(), static_cast<int64_t>(sentence.prefix.size()))),
      unprompted_(sentence) {
  unprompted_.prefix.clear();
  if (options.prefix_bias > 0) throw SearchError("search option prefix_bias: alternatives follow a forced prefix");
}

HypothesisView Ct2Alternatives::processors_view(int64_t slot) const {
  const int64_t before = length() > prompt_ ? prompt_ + 1 : prompt_;
  const HypothesisView whole = view(slot);
  return {whole.sequence.subspan(std::min(before, length())), unprompted_, limit() - before, whole.automaton_state};
}

Allowed Ct2Alternatives::allowed() const {
  return length() == prompt_ && !options().eos_ids.empty() ? Allowed::all_but_eos : allowed_by_length(false);
}

void Ct2Alternatives::step(SentenceScores& scores, int64_t first_row) {
  if (in_prompt()) return give(first_row);
  if (length() == prompt_) return advance(scores.best(wanted()), first_row);
  std::vector<Candidate> greedy;
  for (int64_t slot = 0; slot < scores.slots(); ++slot) {
    const auto best = scores.best(1, slot, slot + 1);
    greedy.insert(greedy.end(), best.begin(), best.end());
  }
  advance(greedy, first_row);
}

void Ct2Alternatives::give(int64_t first_row) {
  const Candidate given{0.0f, 0.0f, 0, sentence().prefix[length()]};
  begin(first_row);
  const int64_t node = record(given);
  if (length() + 1 == limit()) {  // no room for alternatives
    alternatives_.push_back({0.0f, Finished{0, 0.0f, node, Finish::length}});
  } else {
    keep(given, node);
  }
  end();
}

void Ct2Alternatives::advance(std::span<const Candidate> candidates, int64_t first_row) {
  begin(first_row);
  if (length() == prompt_) {
    open(candidates);
  } else {
    go_on(candidates);
  }
  end();
  if (length() == prompt_ + 1) forget_attention();
}

void Ct2Alternatives::open(std::span<const Candidate> candidates) {
  for (Candidate candidate : candidates) {
    const int64_t node = record(candidate);
    Alternative alternative{candidate.log_prob, std::nullopt};
    if (length() + 1 == limit()) {
      alternative.finished = {candidate.log_prob, candidate.score, node, Finish::length};
    } else {
      candidate.score = 0;  // what comes after it is scored by itself
      keep(candidate, node);
      running_.push_back(alternatives_.size());
    }
    alternatives_.push_back(alternative);
  }
}

void Ct2Alternatives::go_on(std::span<const Candidate> candidates) {
  std::vector<size_t> running;
  for (const Candidate& candidate : candidates) {
    const size_t which = running_[candidate.slot];
    const int64_t node = record(candidate);
    const bool eos = options().is_eos(candidate.token);
    if (!eos && length() + 1 < limit()) {
      keep(candidate, node);
      running.push_back(which);
      continue;
    }
    const double rest = score(candidate.score, length() - prompt_) + coverage_penalty(candidate);
    const Finish why = eos ? Finish::eos : Finish::length;
    alternatives_[which].finished = {alternatives_[which].log_prob + rest, candidate.score, node, why};
  }
  running_ = std::move(running);
}

std::vector<Hypothesis> Ct2Alternatives::best_so_far(Finish cut) const {
  if (length() <= prompt_) return RankedBeam::best_so_far(cut);
  std::vector<Alternative> alternatives = alternatives_;
  for (size_t i = 0; i < running_.size(); ++i) {
    const auto slot = static_cast<int64_t>(i), scored = length() - prompt_ - 1;
    const double rest = scored == 0 ? 0 : score_so_far(slot, scored);
    Alternative& alternative = alternatives[running_[i]];
    alternative.finished = {alternative.log_prob + rest, slots()[i].sum, slots()[i].node, cut};
  }
  return write_out_all(alternatives);
}

std::vector<Hypothesis> Ct2Alternatives::write_out_all(const std::vector<Alternative>& alternatives) const {
  std::vector<Hypothesis> all;
  for (const auto& [log_prob, finished] : alternatives) {
    if (!finished) continue;
    Hypothesis& hypothesis = all.emplace_back(write_out(finished->node, 0, finished->score, finished->finish));
    for (const float each : hypothesis.token_log_probs) hypothesis.log_prob += each;
  }
  return all;
}

}  // namespace seq2seq_kit
