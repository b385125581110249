#include "core/row_bars.h"

#include "core/score_row.h"

namespace seq2seq_kit {

RowBars row_bars(const Processors& processors, const Beam& beam, int64_t slot, int64_t vocab, RowEdits& edits) {
  RowBars bars;
  const bool no_eos = beam.allowed() == Allowed::all_but_eos;
  if (processors.empty() && !no_eos) return bars;

  edits.reset(vocab);
  ScoreRow row(nullptr, vocab, {}, edits);
  for (const int64_t token : beam.options().eos_ids) {
    if (no_eos) row.ban(token);
  }
  const HypothesisView hypothesis = beam.processors_view(slot);
  for (const auto& processor : processors) processor->apply(hypothesis, row);

  bars.closed = edits.closed();
  for (size_t i = 0; i < edits.tokens().size(); ++i) {
    if (edits.values()[i] != kImpossible) {
      bars.given = edits.tokens()[i];
    } else if (!bars.closed) {
      bars.barred.push_back(edits.tokens()[i]);
    }
  }
  std::sort(bars.barred.begin(), bars.barred.end());
  return bars;
}

}  // namespace seq2seq_kit
