#pragma once

#include <vector>

#include "core/semantics/kit.h"

namespace seq2seq_kit {

/// `alternatives`: the K best tokens after the prefix, each continued greedily, in the order of these tokens.
class AlternativesBeam : public KitBeam {
 public:
  using KitBeam::KitBeam;

  void step(SentenceScores& scores, int64_t first_row) override;
  bool takes_only_best() const override { return false; }
  bool done() const override { return slots().empty(); }
  std::vector<Hypothesis> hypotheses() const override;

 private:
  std::vector<int64_t> alternatives_;  // the tokens after the prefix, best first
};

}  // namespace seq2seq_kit
