// What becomes of a row of scores before there are any. Torch-free.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/beam.h"
#include "core/processors/processor.h"
#include "core/row_edits.h"

namespace seq2seq_kit {

/// Tokens that may not come next whatever the scores are: those in a list, or all but one, which then scores 0.
struct RowBars {
  std::vector<int64_t> barred;  // ascending
  bool closed = false;          // all are barred but for `given`
  std::optional<int64_t> given;

  bool bars(int64_t token) const { return std::binary_search(barred.begin(), barred.end(), token); }
};

/// What the semantics, where it bars EOS, and processors that do no more than bar make of the next row of a beam's
/// slot. `edits` is room to work in.
RowBars row_bars(const Processors& processors, const Beam& beam, int64_t slot, int64_t vocab, RowEdits& edits);

}  // namespace seq2seq_kit
