// What holds for every search, whatever its options.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "check.h"
#include "core/beam.h"
#include "promises.h"
#include "seq2seq_kit/errors.h"
#include "table_search.h"

/// Searches and checks; returns what the search returns. Nothing where options or scores were refused.
inline std::optional<std::vector<seq2seq_kit::Hypothesis>> checked_search(const seq2seq_kit::SearchOptions& options,
                                                                          const seq2seq_kit::SentenceInput& sentence,
                                                                          const ScoreTable& table) {
  using namespace seq2seq_kit;
  const int64_t longest = length_limit(options, sentence) + static_cast<int64_t>(sentence.prefix.size()) + 2;
  int64_t steps = 0;
  const auto in_vocabulary = [&](int64_t token) { return token >= 0 && token < table.vocab; };
  const auto check_hypothesis = [&](const Hypothesis& hypothesis) {
    const size_t length = hypothesis.tokens.size();
    CHECK(static_cast<int64_t>(length) <= longest);
    CHECK(hypothesis.token_log_probs.size() == length && hypothesis.rows.size() == length);
    float sum = 0;
    for (const float log_prob : hypothesis.token_log_probs) sum += log_prob;
    CHECK(sum == hypothesis.log_prob);
    CHECK(!std::isnan(hypothesis.score));
    CHECK(std::all_of(hypothesis.tokens.begin(), hypothesis.tokens.end(), in_vocabulary));
    for (const int64_t row : hypothesis.rows) CHECK(row >= 0 && row < options.beam_size);
    check_promises(options, sentence, hypothesis);
    if (hypothesis.finish == Finish::eos) CHECK(length > 0 && options.is_eos(hypothesis.tokens.back()));
  };
  const auto after_step = [&](const Beam& beam) {
    CHECK(++steps == beam.length() && steps <= longest);
    CHECK(static_cast<int64_t>(beam.slots().size()) <= options.beam_size);
    for (size_t slot = 0; slot < beam.slots().size(); ++slot) {
      const HypothesisView view = beam.view(static_cast<int64_t>(slot));
      CHECK(in_vocabulary(beam.slots()[slot].token) && view.sequence.back() == beam.slots()[slot].token);
      CHECK(view.length() == steps && view.sequence.front() == options.bos_id);
      CHECK(!std::isnan(beam.slots()[slot].sum));
    }
    const auto so_far = beam.best_so_far(Finish::deadline);
    CHECK(static_cast<int64_t>(so_far.size()) <= options.n_best);
    for (const Hypothesis& hypothesis : so_far) check_hypothesis(hypothesis);
  };
  try {
    auto best = table_search(options, sentence, table, after_step);
    if (!best) return best;
    CHECK(static_cast<int64_t>(best->size()) <= options.n_best);
    for (size_t i = 0; i < best->size(); ++i) {
      check_hypothesis((*best)[i]);
      CHECK((*best)[i].finish != Finish::deadline);
      if (i > 0 && !options.alternatives) CHECK((*best)[i - 1].score >= (*best)[i].score);
    }
    return best;
  } catch (const SearchError& error) {
    CHECK(!std::string(error.what()).empty());
    return {};
  }
}
