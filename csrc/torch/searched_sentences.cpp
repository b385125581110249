#include "torch/searched_sentences.h"

#include <string>

#include "seq2seq_kit/errors.h"

namespace seq2seq_kit {

SearchedSentences::SearchedSentences(const SearchOptions& options, const std::vector<SentenceInput>& sentences,
                                     SearchControl& control)
    : options_(&options), control_(&control), told_(sentences.size(), 0) {
  options.validate();
  for (const SentenceInput& sentence : sentences) sentence.validate();
  for (const SentenceInput& sentence : sentences) beams_.push_back(make_beam(options, sentence));
}

bool SearchedSentences::out_of_time() {
  if (options_->max_seconds == 0) return false;
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin_;
  return out_of_time_ = passed.count() >= options_->max_seconds;
}

void SearchedSentences::check(const std::vector<BadScores>& bad, const std::vector<int64_t>& sentences,
                              int64_t position) const {
  if (bad.empty()) return;
  const std::string where =
      "sentence " + std::to_string(sentences[bad.front().sentence]) + ", step " + std::to_string(position) + ": ";
  if (bad.front().fault == RowFault::not_finite) throw SearchError(where + "the step's scores contain NaN or +inf");
  // The exact stop rule rests on log-probabilities that never raise a sum.
  throw SearchError(
      where +
      "a score of the step is above 0: scores of kind 'log_probs' are log-probabilities (kind 'logits' is "
      "normalised by the search)");
}

void SearchedSentences::keep_attention(const at::Tensor& attention) {
  if (options_->attention) trace_.append(attention);
}

void SearchedSentences::tell_settled(int64_t sentence) {
  if (control_->on_tokens) tell(beam(sentence).settled(), sentence);
}

void SearchedSentences::tell(const std::vector<int64_t>& settled, int64_t sentence) {
  int64_t& told = told_[sentence];
  if (static_cast<int64_t>(settled.size()) <= told) return;
  control_->on_tokens(sentence, {settled.begin() + told, settled.end()});
  told = static_cast<int64_t>(settled.size());
}

SearchResult SearchedSentences::results() {
  SearchResult result;
  for (int64_t b = 0; b < size(); ++b) {
    const Beam& beam = *beams_[b];
    result.hypotheses.push_back(beam.stopped()                 ? beam.best_so_far(Finish::stopped)
                                : out_of_time_ && !beam.over() ? beam.best_so_far(Finish::deadline)
                                                               : beam.hypotheses());
    const auto& best = result.hypotheses.back();
    if (control_->on_tokens && !best.empty()) tell(best.front().tokens, b);  // what was cut short
    result.attention.emplace_back();
    for (const Hypothesis& hypothesis : best) result.attention.back().push_back(trace_.along(hypothesis));
  }
  return result;
}

}  // namespace seq2seq_kit
