#include <algorithm>
#include <string>

#include "core/processors/automaton.h"
#include "core/processors/bad_words.h"
#include "core/processors/favoured_prefix.h"
#include "core/processors/forced.h"
#include "core/processors/length_decay.h"
#include "core/processors/ngram.h"
#include "core/processors/processor.h"
#include "core/processors/repetition.h"
#include "core/processors/sequence_bias.h"
#include "core/processors/suppress.h"
#include "core/processors/unknown_word.h"
#include "seq2seq_kit/errors.h"

namespace seq2seq_kit {
namespace {

/// How a semantics treats what it forces, and what it counts.
struct Rules {
  bool counts_bos;           // as a token that may be repeated
  bool eos_counts;           // among the tokens that are limited
  bool gives_prefix;         // without scoring it; its length then does not count against the limit
  ForcedScore forced_score;  // of a forced first or last token
};

Rules rules_of(const SearchOptions& options) {
  switch (options.semantics) {
    case Semantics::hf:
      return {true, true, true, ForcedScore::zero};
    case Semantics::ct2:
      return {false, true, true, ForcedScore::zero};
    case Semantics::opennmt:
    case Semantics::marian:
    case Semantics::joey:
      return {false, true, false, ForcedScore::its_own};
    case Semantics::kit:
    case Semantics::fairseq:
    case Semantics::sockeye:
      break;
  }
  return {false, options.eos_ids.empty(), false, ForcedScore::its_own};
}

/// Throws where an end symbol, the limit or the automaton would cut a forced prefix short.
void check_prefix(const SearchOptions& options, const Rules& rules, const SentenceInput& sentence,
                  const std::string& where) {
  const auto& prefix = sentence.prefix;
  if (prefix.empty()) return;
  const auto is_eos = [&](int64_t token) { return options.is_eos(token); };
  if (std::any_of(prefix.begin(), prefix.end() - 1, is_eos)) {
    throw SearchError(where + "the prefix goes on after an end symbol");
  }
  const int64_t room = length_limit(options, sentence) + (!rules.eos_counts && is_eos(prefix.back()) ? 1 : 0);
  if (static_cast<int64_t>(prefix.size()) > room) {
    throw SearchError(where + "the prefix has " + std::to_string(prefix.size()) +
                      " tokens, but the sentence's limit is " + std::to_string(room));
  }
}

/// Throws where a forced prefix leaves the automaton.
void check_automaton(const SearchOptions& options, const SentenceInput& sentence, const std::string& where) {
  int64_t state = 0;
  for (const int64_t token : sentence.prefix) {
    const bool ends = options.is_eos(token);
    state = sentence.automaton->next(state, token);
    if (ends || state != Automaton::kLeft) continue;
    throw SearchError(where + "the automaton does not let token " + std::to_string(token) +
                      " of the prefix come where it does");
  }
}

/// Throws where an option reads the source's tokens and they are not given.
void check_sources(const SearchOptions& options, std::span<const SentenceInput> sentences) {
  const char* field = options.no_repeat_ngram_source > 0       ? "no_repeat_ngram_source"
                      : options.repetition_penalty_source != 1 ? "repetition_penalty_source"
                                                               : nullptr;
  if (!field || sentences.empty()) return;
  const auto unknown = [](const SentenceInput& sentence) { return sentence.source.empty(); };
  const auto missing = [&](const SentenceInput& sentence) { return unknown(sentence) && sentence.source_length > 0; };
  if (std::all_of(sentences.begin(), sentences.end(), unknown) ||
      std::any_of(sentences.begin(), sentences.end(), missing)) {
    throw SearchError(std::string("search option ") + field +
                      " needs the tokens of every source: give sentences with their `source`");
  }
}

}  // namespace

Processors make_processors(const SearchOptions& options, std::span<const SentenceInput> sentences) {
  check_sources(options, sentences);
  const Rules rules = rules_of(options);
  const auto asked = [&](auto field) {
    return std::any_of(sentences.begin(), sentences.end(), [&](const auto& each) { return field(each); });
  };
  const bool with_prefix = asked([](const SentenceInput& sentence) { return !sentence.prefix.empty(); });
  const bool forced = with_prefix && options.prefix_bias == 0;
  for (size_t b = 0; forced && b < sentences.size(); ++b) {
    const std::string where = "sentence " + std::to_string(b) + ": ";
    if (!rules.gives_prefix) check_prefix(options, rules, sentences[b], where);
    if (sentences[b].automaton) check_automaton(options, sentences[b], where);
  }

  if (options.forced_last >= 0 && !rules.eos_counts && !options.is_eos(options.forced_last)) {
    throw SearchError("search option forced_last = " + std::to_string(options.forced_last) + ": with semantics '" +
                      std::string(to_string(options.semantics)) + "', what reaches the limit ends with one of eos_ids");
  }

  Processors made;
  if (options.unk_penalty > 0)
    made.push_back(std::make_unique<UnknownWordPenalty>(options.unk_id, options.unk_penalty));
  if (!options.sequence_bias.empty()) made.push_back(std::make_unique<SequenceBias>(options.sequence_bias));
  if (options.repetition_penalty_source != 1) {
    made.push_back(std::make_unique<SourceRepetitionPenalty>(options.repetition_penalty_source));
  }
  if (options.repetition_penalty != 1) {
    made.push_back(std::make_unique<RepetitionPenalty>(options.repetition_penalty, rules.counts_bos));
  }
  if (options.no_repeat_ngram > 0) made.push_back(std::make_unique<NoRepeatNgram>(options, rules.counts_bos));
  if (options.no_repeat_ngram_source > 0) {
    made.push_back(std::make_unique<NoRepeatSourceNgram>(options.no_repeat_ngram_source, rules.counts_bos));
  }
  const bool with_banned = asked([](const SentenceInput& sentence) { return !sentence.banned.empty(); });
  if (!options.bad_words.empty() || with_banned) {
    made.push_back(std::make_unique<BadWords>(options, with_banned));
  }
  if (asked([](const SentenceInput& sentence) { return sentence.automaton != nullptr; })) {
    made.push_back(std::make_unique<FollowAutomaton>(options, sentences));
  }
  if (options.forced_first >= 0) {
    made.push_back(std::make_unique<ForcedFirst>(options.forced_first, rules.forced_score));
  }
  if (options.forced_last >= 0) {
    made.push_back(std::make_unique<ForcedLast>(options.forced_last, rules.forced_score, rules.eos_counts));
  }
  if (options.length_decay_factor != 1) made.push_back(std::make_unique<LengthDecay>(options));
  if (!options.suppress.empty()) made.push_back(std::make_unique<Suppress>(options.suppress));
  if (!options.suppress_at_start.empty()) made.push_back(std::make_unique<SuppressAtStart>(options));
  if (forced) made.push_back(std::make_unique<ForcedPrefix>(rules.forced_score));
  // CTranslate2's bias follows its normalisation, in its own beam.
  if (with_prefix && !forced && options.semantics != Semantics::ct2) {
    made.push_back(std::make_unique<FavouredPrefix>(options.prefix_bias));
  }
  return made;
}

}  // namespace seq2seq_kit
