#include "core/methods/constrained.h"

#include <algorithm>
#include <functional>
#include <map>

#include "core/sentence_scores.h"

namespace seq2seq_kit {
namespace {

/// What every output begins with.
Tokens given_tokens(const SearchOptions& options, const SentenceInput& sentence) {
  if (options.prefix_bias == 0 && !sentence.prefix.empty()) return sentence.prefix;
  return options.forced_first >= 0 ? Tokens(&options.forced_first, 1) : Tokens();
}

using Banks = std::map<int64_t, std::vector<Candidate>, std::greater<>>;  // the fullest first; in each, the best first

/// Chooses in rounds over the banks until there are `most`: in each round the best of each bank that is left.
void allot(Banks::const_iterator first, Banks::const_iterator last, size_t most, std::vector<Candidate>& chosen) {
  bool left = true;
  for (size_t round = 0; left; ++round) {
    left = false;
    for (auto bank = first; bank != last; ++bank) {
      if (round >= bank->second.size() || chosen.size() == most) continue;
      chosen.push_back(bank->second[round]);
      left = true;
    }
  }
}

}  // namespace

ConstrainedBeam::ConstrainedBeam(const SearchOptions& options, const SentenceInput& sentence)
    : KitBeam(options, sentence),
      constraints_(options, sentence, given_tokens(options, sentence)),
      times_{constraints_.none()} {}

void ConstrainedBeam::step(SentenceScores& scores, int64_t first_row) {
  if (length() == 0) constraints_.check_tokens(scores.vocab());
  begin(first_row);
  end_too_early(scores);
  next_times_.clear();
  for (const Candidate& candidate : choose(scores)) {
    if (!take(candidate)) next_times_.push_back(times_with(candidate));
  }
  end();
  times_.swap(next_times_);
}

void ConstrainedBeam::end_too_early(SentenceScores& scores) {
  for (int64_t slot = 0; slot < scores.slots(); ++slot) {
    if (constraints_.unmet(times_[slot]) == 0) continue;
    ScoreRow row = scores.row(slot);
    for (const int64_t eos : options().eos_ids) {
      const float log_prob = row.get(eos);
      if (log_prob != kImpossible) take({scores.sum(slot) + log_prob, log_prob, static_cast<int32_t>(slot), eos});
      row.ban(eos);
    }
  }
}

void ConstrainedBeam::finish(const Candidate& candidate, double score, Finish why) {
  const int64_t unmet = constraints_.unmet(times_with(candidate));
  if (unmet == 0) return KitBeam::finish(candidate, score, why);
  set_aside(unmet, {score + coverage_penalty(candidate), candidate.score, record(candidate), why});
}

void ConstrainedBeam::set_aside(int64_t unmet, const Finished& finished) {
  if (unmet > fewest_unmet_) return;
  if (unmet < fewest_unmet_) aside_.clear();
  fewest_unmet_ = unmet;
  rank(finished, aside_);
  if (static_cast<int64_t>(aside_.size()) > options().n_best) aside_.pop_back();
}

void ConstrainedBeam::stop(std::span<const bool> ended) {
  next_times_.clear();
  for (size_t slot = 0; slot < ended.size(); ++slot) {
    if (!ended[slot]) {
      next_times_.push_back(times_[slot]);
      continue;
    }
    const Slot& live = slots()[slot];
    const Finished stopped{score_so_far(static_cast<int64_t>(slot)), live.sum, live.node, Finish::stopped};
    const int64_t unmet = constraints_.unmet(times_[slot]);
    unmet == 0 ? rank(stopped) : set_aside(unmet, stopped);
  }
  times_.swap(next_times_);
  drop(ended);
}

std::vector<Hypothesis> ConstrainedBeam::hypotheses() const { return write_out_best(found() > 0 ? finished_ : aside_); }

std::vector<Candidate> ConstrainedBeam::choose(SentenceScores& scores) const {
  const std::vector<Candidate> offered = offer(scores);
  Banks banks;
  for (const Candidate& candidate : offered) banks[bank(candidate)].push_back(candidate);
  // What has no room left for the tokens that it lacks comes after all others.
  const auto late = banks.upper_bound(constraints_.tokens() - (limit() - length() - 1));
  const size_t most = std::min(offered.size(), static_cast<size_t>(wanted()));
  std::vector<Candidate> chosen;
  allot(banks.begin(), late, most, chosen);
  allot(late, banks.end(), most, chosen);
  std::sort(chosen.begin(), chosen.end(), better);
  return chosen;
}

std::vector<Candidate> ConstrainedBeam::offer(SentenceScores& scores) const {
  const auto best = scores.best(wanted());
  std::vector<Candidate> offered(best.begin(), best.end());
  const auto of_slot = [](int64_t slot) { return [slot](const Candidate& each) { return each.slot == slot; }; };
  for (int64_t slot = 0; slot < scores.slots(); ++slot) {
    if (std::none_of(offered.begin(), offered.end(), of_slot(slot))) {
      for (const Candidate& candidate : scores.best(1, slot, slot + 1)) offered.push_back(candidate);
    }
    const ScoreRow row = scores.row(slot);
    for (const int64_t token : constraints_.next_tokens(end_of(slot), times_[slot])) {
      const float log_prob = row.get(token), sum = scores.sum(slot) + log_prob;
      const auto same = [&](const Candidate& each) { return each.slot == slot && each.token == token; };
      if (sum == kImpossible || std::any_of(offered.begin(), offered.end(), same)) continue;
      offered.push_back({sum, log_prob, static_cast<int32_t>(slot), token});
    }
  }
  std::sort(offered.begin(), offered.end(), better);
  return offered;
}

int64_t ConstrainedBeam::bank(const Candidate& candidate) const {
  return constraints_.bank(end_with(candidate), times_with(candidate));
}

Tokens ConstrainedBeam::end_of(int64_t slot) const {
  const Tokens generated = view(slot).generated();
  return generated.last(std::min(generated.size(), constraints_.longest_phrase()));
}

std::vector<int64_t> ConstrainedBeam::end_with(const Candidate& candidate) const {
  const Tokens before = end_of(candidate.slot);
  std::vector<int64_t> tokens(before.begin(), before.end());
  tokens.push_back(candidate.token);
  return tokens;
}

ConstrainedBeam::Times ConstrainedBeam::times_with(const Candidate& candidate) const {
  Times times = times_[candidate.slot];
  constraints_.count(end_with(candidate), times);
  return times;
}

}  // namespace seq2seq_kit
