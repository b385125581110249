#pragma once

#include <vector>

#include "core/processors/processor.h"

namespace seq2seq_kit {

/// Only what the sentence's automaton lets follow; EOS where the state is accepting.
class FollowAutomaton : public Processor {
 public:
  explicit FollowAutomaton(const SearchOptions& options) : options_(&options) {}

  void apply(const HypothesisView& hypothesis, ScoreRow& scores) const override {
    const auto& automaton = hypothesis.sentence.automaton;
    if (!automaton) return;
    std::vector<int64_t> tokens;
    if (const int64_t state = hypothesis.automaton_state; state != Automaton::kLeft) {
      for (const auto& [token, next] : automaton->arcs[state]) {
        if (!options_->is_eos(token)) tokens.push_back(token);
      }
      if (automaton->accepting.contains(state)) {
        tokens.insert(tokens.end(), options_->eos_ids.begin(), options_->eos_ids.end());
      }
    }
    scores.only(tokens);
  }

 private:
  const SearchOptions* options_;
};

}  // namespace seq2seq_kit
