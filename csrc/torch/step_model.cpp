#include "seq2seq_kit/step_model.h"

namespace seq2seq_kit {

std::vector<int64_t> Selection::rows(int64_t old_beams) const {
  std::vector<int64_t> rows;
  rows.reserve(parents.size());
  for (size_t i = 0; i < parents.size(); ++i) {
    rows.push_back(survivors[static_cast<int64_t>(i) / beams] * old_beams + parents[i]);
  }
  return rows;
}

bool Selection::is_identity(int64_t batch, int64_t old_beams) const {
  if (beams != old_beams || static_cast<int64_t>(survivors.size()) != batch) return false;
  for (size_t i = 0; i < parents.size(); ++i) {
    if (parents[i] != static_cast<int64_t>(i) % beams) return false;
  }
  return true;
}

}  // namespace seq2seq_kit
