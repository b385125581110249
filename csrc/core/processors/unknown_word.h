#pragma once

#include "core/processors/processor.h"

namespace seq2seq_kit {

/// Makes the unknown word less likely.
class UnknownWordPenalty : public Processor {
 public:
  UnknownWordPenalty(int64_t unk, double penalty) : unk_(unk), penalty_(static_cast<float>(penalty)) {}

  void apply(const HypothesisView& /*hypothesis*/, ScoreRow& scores) const override {
    scores.set(unk_, scores.get(unk_) - penalty_);
  }

 private:
  int64_t unk_;
  float penalty_;
};

}  // namespace seq2seq_kit
