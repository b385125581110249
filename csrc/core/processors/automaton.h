#pragma once

#include <map>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/processors/marks.h"
#include "core/processors/processor.h"

namespace seq2seq_kit {

/// Only what the sentence's automaton lets follow; EOS where the state is accepting.
class FollowAutomaton : public Processor {
 public:
  FollowAutomaton(const SearchOptions& options, std::span<const SentenceInput> sentences) : options_(&options) {
    for (const SentenceInput& sentence : sentences) {
      if (!sentence.automaton) continue;
      for (const auto& arcs : sentence.automaton->arcs) {
        if (arcs.empty() || !worth_marking(arcs.size(), arcs.begin()->first, arcs.rbegin()->first)) continue;
        marks_.try_emplace(&arcs);
      }
    }
    for (auto& [arcs, marks] : marks_) {
      marks.resize(arcs->rbegin()->first + 1);
      for (const auto& [token, next] : *arcs) marks[token] = options.is_eos(token) ? 0 : 1;
    }
  }

  void apply(const HypothesisView& hypothesis, ScoreRow& scores) const override {
    if (!hypothesis.sentence.automaton) return;
    const Automaton& automaton = *hypothesis.sentence.automaton;
    const int64_t state = hypothesis.automaton_state;
    if (state == Automaton::kLeft) return scores.only({});

    const std::span<const int64_t> ends =
        automaton.accepting.contains(state) ? std::span(options_->eos_ids) : std::span<const int64_t>();
    if (const auto many = marks_.find(&automaton.arcs[state]); many != marks_.end()) {
      std::vector<float> end_scores;
      for (const int64_t token : ends) end_scores.push_back(scores.get(token));
      scores.only_marked(many->second);
      for (size_t i = 0; i < ends.size(); ++i) scores.set(ends[i], end_scores[i]);
    } else {
      std::vector<int64_t> tokens(ends.begin(), ends.end());
      for (const auto& [token, next] : automaton.arcs[state]) {
        if (!options_->is_eos(token)) tokens.push_back(token);
      }
      scores.only(tokens);
    }
  }

 private:
  const SearchOptions* options_;
  std::unordered_map<const std::map<int64_t, int64_t>*, std::vector<uint8_t>> marks_;  // of states with many arcs
};

}  // namespace seq2seq_kit
