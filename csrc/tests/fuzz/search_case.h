// One search, decoded from bytes: nearly all of them make options that are valid, so that few executions are wasted.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>

#include "bytes.h"
#include "core/sentence_scores.h"
#include "seq2seq_kit/search_options.h"
#include "seq2seq_kit/sentence_input.h"
#include "table_search.h"

struct SearchCase {
  seq2seq_kit::SearchOptions options;
  seq2seq_kit::SentenceInput sentence;
  ScoreTable table;
};

namespace search_case {

using namespace seq2seq_kit;

inline TokenSequence tokens(Bytes& bytes, int64_t vocab, int64_t least, int64_t most) {
  TokenSequence tokens(bytes.between(least, most));
  for (int64_t& token : tokens) token = bytes.between(0, vocab - 1);
  return tokens;
}

inline std::vector<TokenSequence> phrases(Bytes& bytes, int64_t vocab) {
  std::vector<TokenSequence> phrases(bytes.between(1, 3));
  for (auto& phrase : phrases) phrase = tokens(bytes, vocab, 1, 3);
  return phrases;
}

inline void lengths(Bytes& bytes, SearchOptions& o) {
  o.max_length = bytes.between(1, 12);
  if (bytes.once_in(3)) o.min_length = bytes.between(0, o.max_length);
  if (bytes.once_in(4)) o.min_new_tokens = bytes.between(0, 4);
  if (bytes.once_in(4)) o.max_new_tokens = bytes.between(1, 6);
  if (bytes.once_in(4)) o.max_length_ratio = bytes.between(1, 8) / 4.0;
  if (bytes.once_in(4)) o.max_length_margin = bytes.between(0, 5);
  if (bytes.once_in(6)) o.length_decay_factor = bytes.between(1, 30) / 10.0;
  if (bytes.once_in(6)) o.length_decay_start = bytes.between(0, 5);
}

inline void score(Bytes& bytes, SearchOptions& o) {
  if (bytes.once_in(2)) o.length_penalty = bytes.between(0, 20) / 5.0;
  if (o.semantics == Semantics::hf && bytes.once_in(4)) o.length_penalty = -o.length_penalty;
  if (bytes.once_in(3)) o.length_penalty_offset = bytes.between(0, 5);
  if (bytes.once_in(4)) o.word_penalty = bytes.between(-8, 8) / 4.0;
  if (bytes.once_in(4)) o.brevity_penalty = bytes.between(0, 8) / 4.0;
  if (bytes.once_in(4)) o.brevity_ratio = bytes.between(1, 8) / 4.0;
  if (bytes.once_in(5)) o.coverage_penalty = bytes.between(0, 8) / 4.0;
  if (bytes.once_in(2)) o.coverage = CoverageKind::see;
  if (bytes.once_in(6)) o.unk_penalty = bytes.once_in(4) ? std::numeric_limits<double>::infinity() : 1.5;
  const Stop kit[] = {Stop::automatic, Stop::exact, Stop::enough, Stop::first, Stop::all};
  const Stop hf[] = {Stop::automatic, Stop::estimate, Stop::enough, Stop::longest};
  const Stop sockeye[] = {Stop::automatic, Stop::all, Stop::first};
  if (o.semantics == Semantics::kit) o.stop = bytes.one_of(kit);
  if (o.semantics == Semantics::hf) o.stop = bytes.one_of(hf);
  if (o.semantics == Semantics::sockeye) o.stop = bytes.one_of(sockeye);
  if (bytes.once_in(3)) o.patience = bytes.between(1, 12) / 4.0;
}

inline void blocking(Bytes& bytes, SearchOptions& o, int64_t vocab) {
  if (bytes.once_in(4)) o.no_repeat_ngram = bytes.between(1, 4);
  if (bytes.once_in(6)) o.no_repeat_ngram_except = tokens(bytes, vocab, 0, 2);
  if (bytes.once_in(5)) o.no_repeat_ngram_source = bytes.between(1, 3);
  if (bytes.once_in(5)) o.repetition_penalty = bytes.between(1, 12) / 4.0;
  if (bytes.once_in(5)) o.repetition_penalty_source = bytes.between(1, 12) / 4.0;
  if (bytes.once_in(5)) o.bad_words = phrases(bytes, vocab);
  if (bytes.once_in(5)) {
    for (const auto& phrase : phrases(bytes, vocab)) o.sequence_bias.push_back({phrase, bytes.between(-20, 20) / 4.0});
  }
  if (bytes.once_in(5)) o.suppress = tokens(bytes, vocab, 0, 3);
  if (bytes.once_in(5)) o.suppress_at_start = tokens(bytes, vocab, 0, 3);
  if (bytes.once_in(8)) o.forced_first = bytes.between(0, vocab - 1);
  if (bytes.once_in(8)) o.forced_last = bytes.between(0, vocab - 1);
  if (bytes.once_in(6)) o.prefix_bias = bytes.between(0, 9) / 10.0;
}

inline void sampling(Bytes& bytes, SearchOptions& o) {
  const Sampling any[] = {Sampling::tokens, Sampling::beams};
  o.sampling = bytes.one_of(any);
  if (bytes.once_in(3)) o.temperature = bytes.between(1, 12) / 4.0;
  if (bytes.once_in(3)) o.top_k = bytes.between(0, 6);
  if (bytes.once_in(3)) o.top_p = bytes.between(0, 10) / 10.0;
  if (bytes.once_in(3)) o.min_p = bytes.between(0, 10) / 10.0;
  if (bytes.once_in(3)) o.typical_p = bytes.between(1, 10) / 10.0;
  if (bytes.once_in(3)) o.epsilon = bytes.between(0, 9) / 20.0;
  if (bytes.once_in(3)) o.eta = bytes.between(0, 9) / 20.0;
  if (bytes.once_in(3)) o.top_h = bytes.between(0, 10) / 10.0;
  o.seed = bytes.byte();
}

inline void constraints(Bytes& bytes, SentenceInput& sentence, int64_t vocab) {
  sentence.constraints.resize(bytes.between(1, 3));
  for (auto& each : sentence.constraints) each = phrases(bytes, vocab);
}

inline void sentence(Bytes& bytes, SentenceInput& sentence, int64_t vocab) {
  sentence.source = tokens(bytes, vocab, bytes.once_in(16) ? 0 : 1, 5);
  sentence.source_length = static_cast<int64_t>(sentence.source.size());
  sentence.key = bytes.byte();
  if (bytes.once_in(4)) sentence.prefix = tokens(bytes, vocab, 0, 4);
  if (bytes.once_in(6)) sentence.banned = phrases(bytes, vocab);
  if (bytes.once_in(6)) {
    Automaton automaton;
    automaton.arcs.resize(bytes.between(1, 4));
    const auto last = static_cast<int64_t>(automaton.arcs.size()) - 1;
    for (auto& arcs : automaton.arcs) {
      for (const int64_t token : tokens(bytes, vocab, 0, 5)) arcs[token] = bytes.between(0, last);
    }
    for (int64_t state = 0; state <= last; ++state) {
      if (bytes.once_in(2)) automaton.accepting.insert(state);
    }
    sentence.automaton = std::make_shared<const Automaton>(std::move(automaton));
  }
}

/// Scores of a kind that the bytes name, drawn by a small generator that they seed; what is left of the bytes then
/// replaces some of them, so that a fuzzer can reach any table.
inline ScoreTable table(Bytes& bytes, int64_t vocab, int64_t source_positions) {
  ScoreTable table{
      bytes.between(1, 7), vocab, bytes.once_in(3) ? RowKind::log_probs : RowKind::logits, {}, source_positions};
  const int64_t impossible = bytes.one_of({int64_t{0}, int64_t{0}, int64_t{8}, int64_t{20}});  // of 32
  const float step = bytes.one_of({1.0f, 0.25f, 1.0f / 64, 3.0f});                             // wide steps make ties
  uint64_t state = bytes.byte() * 0x9e3779b97f4a7c15u + 1;
  const auto put = [&](float& score, float value) {
    score = table.kind == RowKind::log_probs && value > 0 ? -value : value;
  };
  table.scores.resize(table.states * vocab);
  for (float& score : table.scores) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    put(score, step * static_cast<float>(static_cast<int64_t>(state >> 58) - 32));
    if (static_cast<int64_t>(state >> 40) % 32 < impossible) score = kImpossible;
  }
  while (!bytes.empty()) {
    const auto place = static_cast<size_t>(bytes.byte() * 256 + bytes.byte()) % table.scores.size();
    const auto value = static_cast<int8_t>(bytes.byte());
    put(table.scores[place], 0.25f * static_cast<float>(value));
    if (value == -128) table.scores[place] = kImpossible;
    if (value == 127) table.scores[place] = bytes.once_in(4) ? std::nanf("") : -kImpossible;
    if (value == 126) put(table.scores[place], 1e30f);
  }
  return table;
}

}  // namespace search_case

inline SearchCase read_search_case(Bytes bytes) {
  using namespace seq2seq_kit;
  SearchCase c;
  SearchOptions& o = c.options;
  const int64_t vocab = bytes.once_in(16) ? 200 + bytes.between(0, 255) : bytes.between(2, 24);
  o.semantics = static_cast<Semantics>(bytes.between(0, 7));
  o.beam_size = bytes.between(1, 6);
  o.n_best = bytes.between(1, o.beam_size);
  o.bos_id = bytes.between(0, vocab);
  o.eos_ids.clear();
  for (int64_t ends = bytes.one_of({1, 1, 1, 2, 0}); ends > 0; --ends) {
    const int64_t token = bytes.between(0, vocab - 1);
    if (!o.is_eos(token)) o.eos_ids.push_back(token);
  }
  o.unk_id = bytes.between(0, vocab - 1);
  search_case::lengths(bytes, o);
  if (bytes.once_in(2)) search_case::blocking(bytes, o, vocab);
  // Methods that do not go together.
  switch (bytes.between(0, 9)) {
    case 0:
    case 1:
      if (o.semantics != Semantics::kit) o.semantics = Semantics::hf;
      search_case::sampling(bytes, o);
      break;
    case 2:
      o.groups = bytes.between(1, 3);
      o.beam_size *= o.groups;
      o.diversity_penalty = bytes.between(0, 8) / 4.0;
      break;
    case 3:
      o.sibling_penalty = bytes.between(0, 8) / 4.0;
      break;
    case 4:
      o.alternatives = true;
      break;
    case 5:
      o.semantics = Semantics::kit;
      search_case::constraints(bytes, c.sentence, vocab);
      break;
    default:
      if (bytes.once_in(4)) o.temperature = bytes.between(1, 12) / 4.0;
  }
  search_case::score(bytes, o);
  if (bytes.once_in(6)) o.top_tokens = bytes.between(0, 4);
  search_case::sentence(bytes, c.sentence, vocab);
  c.table = search_case::table(bytes, vocab, c.sentence.source_length + 1);
  return c;
}
