// A whole search on the core alone: beams and processors as they are, over a step that looks its scores up in a table.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/beam.h"
#include "core/normalisation.h"
#include "core/processors/processor.h"
#include "core/sentence_scores.h"

/// Scores that depend on the last token and the position; attention too.
struct ScoreTable {
  int64_t states, vocab;
  seq2seq_kit::RowKind kind;  // logits or log_probs
  std::vector<float> scores;  // [states, vocab]
  int64_t source_positions = 1;

  const float* row(int64_t position, int64_t token) const {
    const auto mixed = static_cast<uint64_t>(position) * 31 + static_cast<uint64_t>(token) * 7;
    return scores.data() + static_cast<int64_t>(mixed % static_cast<uint64_t>(states)) * vocab;
  }

  /// Sums to 1 over the source.
  void attention(int64_t position, int64_t token, float* out) const {
    const int64_t seen = (position + token) % source_positions;
    for (int64_t i = 0; i < source_positions; ++i) {
      out[i] = (i == seen ? 0.5f : 0.0f) + 0.5f / static_cast<float>(source_positions);
    }
  }
};

/// Searches one sentence; nothing is returned where the scores could not be read. `after_step` is shown the beam after
/// every step. Throws what the core throws.
inline std::optional<std::vector<seq2seq_kit::Hypothesis>> table_search(
    const seq2seq_kit::SearchOptions& options, const seq2seq_kit::SentenceInput& sentence, const ScoreTable& table,
    const std::function<void(const seq2seq_kit::Beam&)>& after_step = {}) {
  using namespace seq2seq_kit;
  options.validate();
  sentence.validate();
  options.validate_tokens(table.vocab);
  const std::unique_ptr<Beam> beam = make_beam(options, sentence);
  const Processors processors = make_processors(options, {&sentence, 1});
  const bool logits_first = processes_logits(options);
  const float temperature = row_temperature(options);
  const bool normalise = logits_first || temperature != 1 || table.kind == RowKind::logits;

  SentenceScores scores;
  std::vector<float> rows, edited, attention;
  while (!beam->done()) {
    const auto slots = static_cast<int64_t>(beam->slots().size());
    rows.clear();
    attention.resize(slots * table.source_positions);
    for (int64_t slot = 0; slot < slots; ++slot) {
      const int64_t token = beam->slots()[slot].token;
      const float* row = table.row(beam->length(), token);
      rows.insert(rows.end(), row, row + table.vocab);
      table.attention(beam->length(), token, attention.data() + slot * table.source_positions);
    }
    if (options.coverage_penalty > 0) beam->see_attention(attention, table.source_positions);
    if (logits_first) {
      if (scores.read({rows.data(), table.vocab, RowKind::as_is}, *beam) != RowFault::none) return {};
      scores.process(*beam, processors);
      edited.resize(rows.size());
      for (int64_t slot = 0; slot < slots; ++slot) scores.write(slot, edited.data() + slot * table.vocab);
      rows.swap(edited);
    }
    const RowKind kind = normalise ? RowKind::logits : table.kind;
    if (scores.read({rows.data(), table.vocab, kind, temperature}, *beam) != RowFault::none) return {};
    if (!logits_first) scores.process(*beam, processors);
    beam->step(scores, 0);
    if (after_step) after_step(*beam);
  }
  return beam->hypotheses();
}
