#include "core/beam.h"

#include <algorithm>
#include <cmath>

namespace seq2seq_kit {

Beam::Beam(const SearchOptions& options, int64_t limit)
    : options_(&options), limit_(limit), sums_{0.0f}, tokens_{options.bos_id}, parents_{0}, last_{kStart} {}

Allowed Beam::allowed() const {
  if (options_->eos_ids.empty()) return Allowed::all;
  if (length_ >= limit_) return Allowed::only_eos;  // a limit below min_length wins
  return length_ < options_->min_length ? Allowed::all_but_eos : Allowed::all;
}

void Beam::advance(std::span<const Candidate> candidates, int64_t first_row) {
  std::vector<int64_t> last;
  sums_.clear();
  tokens_.clear();
  parents_.clear();
  ++length_;
  for (const Candidate& candidate : candidates) {
    const auto node = static_cast<int64_t>(nodes_.size());
    nodes_.push_back({candidate.token, first_row + candidate.slot, last_[candidate.slot], candidate.log_prob});
    if (ends(candidate.token)) {
      const Finished finished{score(candidate.score, length_), candidate.score, node};
      const auto worse = [](const Finished& a, const Finished& b) { return a.score > b.score; };
      finished_.insert(std::upper_bound(finished_.begin(), finished_.end(), finished, worse), finished);
    } else {
      sums_.push_back(candidate.score);
      tokens_.push_back(candidate.token);
      parents_.push_back(candidate.slot);
      last.push_back(node);
    }
  }
  last_ = std::move(last);
}

bool Beam::done() const {
  if (sums_.empty() || wanted() == 0) return true;
  if (static_cast<int64_t>(finished_.size()) < options_->n_best) return false;
  // Log-probabilities only fall, so no continuation of the best live sum can score above that sum at the greatest
  // length.
  const int64_t longest = options_->eos_ids.empty() ? limit_ : limit_ + 1;
  return score(sums_.front(), longest) <= finished_[options_->n_best - 1].score;
}

std::vector<Hypothesis> Beam::hypotheses() const {
  std::vector<Hypothesis> best;
  for (const Finished& finished : finished_) {
    if (static_cast<int64_t>(best.size()) == options_->n_best) break;
    best.push_back(materialise(finished));
  }
  return best;
}

double Beam::score(float sum, int64_t length) const {
  return static_cast<double>(sum) / std::pow(static_cast<double>(length), options_->length_penalty);
}

bool Beam::ends(int64_t token) const { return options_->eos_ids.empty() ? length_ == limit_ : options_->is_eos(token); }

Hypothesis Beam::materialise(const Finished& finished) const {
  Hypothesis hypothesis;
  hypothesis.log_prob = finished.sum;
  hypothesis.score = finished.score;
  for (int64_t at = finished.last; at != kStart; at = nodes_[at].previous) {
    hypothesis.tokens.push_back(nodes_[at].token);
    hypothesis.token_log_probs.push_back(nodes_[at].log_prob);
    hypothesis.rows.push_back(nodes_[at].row);
  }
  std::reverse(hypothesis.tokens.begin(), hypothesis.tokens.end());
  std::reverse(hypothesis.token_log_probs.begin(), hypothesis.token_log_probs.end());
  std::reverse(hypothesis.rows.begin(), hypothesis.rows.end());
  return hypothesis;
}

}  // namespace seq2seq_kit
