#include "seq2seq_kit/search_options.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

#include "seq2seq_kit/errors.h"
#include "seq2seq_kit/hypothesis.h"

namespace seq2seq_kit {
namespace {

constexpr std::string_view kSemanticsNames[] = {"kit", "hf", "fairseq", "ct2", "opennmt", "marian", "sockeye", "joey"};
constexpr std::string_view kNumericsNames[] = {"reference", "fast"};
constexpr std::string_view kStopNames[] = {"default", "exact", "enough", "first", "all", "estimate", "longest"};
constexpr std::string_view kCoverageNames[] = {"wu", "see"};
constexpr std::string_view kSamplingNames[] = {"off", "tokens", "beams"};
constexpr std::string_view kRngNames[] = {"counter", "torch"};
constexpr std::string_view kFinishNames[] = {"eos", "length", "stopped", "deadline"};

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Slots are counted in 32 bits, and lengths must not overflow when they are added: both are far above any use.
constexpr int64_t kMaxBeam = 1 << 16;
constexpr int64_t kMaxLength = 1 << 30;

std::string number(int64_t value) { return std::to_string(value); }

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

template <typename T>
void require(bool holds, const char* field, T value, const std::string& range) {
  if (!holds) throw SearchError(std::string("search option ") + field + " = " + number(value) + ": must be " + range);
}

/// Finite, and within [least, most].
void require_between(const char* field, double value, double least, double most) {
  const std::string range =
      most == kInfinity ? "finite and at least " + number(least) : "between " + number(least) + " and " + number(most);
  require(std::isfinite(value) && value >= least && value <= most, field, value, range);
}

void require_positive(const char* field, double value) {
  require(std::isfinite(value) && value > 0, field, value, "finite and above 0");
}

void require_between(const char* field, int64_t value, int64_t least, int64_t most) {
  require(value >= least && value <= most, field, value, "between " + number(least) + " and " + number(most));
}

void require_tokens(const char* field, const std::vector<int64_t>& tokens) {
  for (const int64_t token : tokens) require(token >= 0, field, token, "token ids of at least 0");
}

void require_sequence(const char* field, const TokenSequence& tokens) {
  if (tokens.empty()) throw SearchError(std::string("search option ") + field + ": a sequence without tokens");
  require_tokens(field, tokens);
}

template <typename Enum, size_t n>
Enum parse(const char* field, std::string_view name, const std::string_view (&names)[n]) {
  const auto found = std::find(std::begin(names), std::end(names), name);
  if (found != std::end(names)) return static_cast<Enum>(found - std::begin(names));
  std::string known;
  for (const auto& each : names) {
    known += known.empty() ? "'" : ", '";
    known.append(each).append("'");
  }
  throw SearchError(std::string("search option ") + field + " = '" + std::string(name) + "': must be one of " + known);
}

/// The stop rules that each semantics knows beside its default.
std::vector<Stop> stop_rules(Semantics semantics) {
  switch (semantics) {
    case Semantics::kit:
      return {Stop::exact, Stop::enough, Stop::first, Stop::all};
    case Semantics::hf:
      return {Stop::estimate, Stop::enough, Stop::longest};
    case Semantics::sockeye:
      return {Stop::all, Stop::first};
    default:
      return {};
  }
}

void validate_stop(const SearchOptions& options) {
  if (options.stop == Stop::automatic) return;
  const auto rules = stop_rules(options.semantics);
  if (std::find(rules.begin(), rules.end(), options.stop) != rules.end()) return;
  std::string known = "'default'";
  for (const Stop rule : rules) known.append(", '").append(to_string(rule)).append("'");
  throw SearchError("search option stop = '" + std::string(to_string(options.stop)) + "': semantics '" +
                    std::string(to_string(options.semantics)) + "' knows " + known);
}

}  // namespace

Semantics parse_semantics(std::string_view name) { return parse<Semantics>("semantics", name, kSemanticsNames); }
Numerics parse_numerics(std::string_view name) { return parse<Numerics>("numerics", name, kNumericsNames); }
Stop parse_stop(std::string_view name) { return parse<Stop>("stop", name, kStopNames); }
CoverageKind parse_coverage(std::string_view name) { return parse<CoverageKind>("coverage", name, kCoverageNames); }
Sampling parse_sampling(std::string_view name) { return parse<Sampling>("sampling", name, kSamplingNames); }
Rng parse_rng(std::string_view name) { return parse<Rng>("rng", name, kRngNames); }
std::string_view to_string(Semantics semantics) { return kSemanticsNames[static_cast<size_t>(semantics)]; }
std::string_view to_string(Numerics numerics) { return kNumericsNames[static_cast<size_t>(numerics)]; }
std::string_view to_string(Stop stop) { return kStopNames[static_cast<size_t>(stop)]; }
std::string_view to_string(CoverageKind coverage) { return kCoverageNames[static_cast<size_t>(coverage)]; }
std::string_view to_string(Sampling sampling) { return kSamplingNames[static_cast<size_t>(sampling)]; }
std::string_view to_string(Rng rng) { return kRngNames[static_cast<size_t>(rng)]; }
std::string_view to_string(Finish finish) { return kFinishNames[static_cast<size_t>(finish)]; }

void SearchOptions::validate() const {
  require_between("beam_size", beam_size, 1, kMaxBeam);
  require(n_best >= 1 && n_best <= beam_size, "n_best", n_best, "between 1 and beam_size = " + number(beam_size));

  require(bos_id >= 0, "bos_id", bos_id, "at least 0");
  for (size_t i = 0; i < eos_ids.size(); ++i) {
    require(eos_ids[i] >= 0, "eos_ids", eos_ids[i], "token ids of at least 0");
    require(std::count(eos_ids.begin(), eos_ids.end(), eos_ids[i]) == 1, "eos_ids", eos_ids[i], "distinct token ids");
  }
  require(unk_id >= 0, "unk_id", unk_id, "at least 0");

  require_between("max_length", max_length, 1, kMaxLength);
  require(min_length >= 0 && min_length <= max_length, "min_length", min_length,
          "between 0 and max_length = " + number(max_length));
  require_between("min_new_tokens", min_new_tokens, 0, kMaxLength);
  require_between("max_new_tokens", max_new_tokens, 0, kMaxLength);
  require_between("max_length_ratio", max_length_ratio, 0.0, kInfinity);
  require_between("max_length_margin", max_length_margin, 0, kMaxLength);
  require_between("length_decay_start", length_decay_start, 0, kMaxLength);
  require_positive("length_decay_factor", length_decay_factor);

  require_between("length_penalty", length_penalty, semantics == Semantics::hf ? -kInfinity : 0.0, kInfinity);
  require_between("length_penalty_offset", length_penalty_offset, 0.0, kInfinity);
  require(std::isfinite(word_penalty), "word_penalty", word_penalty, "finite");
  require_between("brevity_penalty", brevity_penalty, 0.0, kInfinity);
  require_positive("brevity_ratio", brevity_ratio);
  require_between("coverage_penalty", coverage_penalty, 0.0, kInfinity);
  require(unk_penalty >= 0, "unk_penalty", unk_penalty, "at least 0 (infinity bars the token)");

  validate_stop(*this);
  require_positive("patience", patience);
  require_between("max_seconds", max_seconds, 0.0, kInfinity);

  require_between("no_repeat_ngram", no_repeat_ngram, 0, kMaxLength);
  require_tokens("no_repeat_ngram_except", no_repeat_ngram_except);
  require_between("no_repeat_ngram_source", no_repeat_ngram_source, 0, kMaxLength);
  require_positive("repetition_penalty", repetition_penalty);
  require_positive("repetition_penalty_source", repetition_penalty_source);
  for (const auto& sequence : bad_words) require_sequence("bad_words", sequence);
  for (const auto& [sequence, bias] : sequence_bias) {
    require_sequence("sequence_bias", sequence);
    require(bias <= std::numeric_limits<float>::max(), "sequence_bias", bias,
            "a number that float32 holds, or -infinity");
  }
  require_tokens("suppress", suppress);
  require_tokens("suppress_at_start", suppress_at_start);
  require(forced_first >= -1, "forced_first", forced_first, "a token id, or -1 for none");
  require(forced_last >= -1, "forced_last", forced_last, "a token id, or -1 for none");
  require(prefix_bias >= 0 && prefix_bias < 1, "prefix_bias", prefix_bias, "at least 0 and below 1");

  require_positive("temperature", temperature);
  require_between("top_h", top_h, 0.0, 1.0);
  require(top_k >= 0, "top_k", top_k, "at least 0");
  require_between("top_p", top_p, 0.0, 1.0);
  require_between("min_p", min_p, 0.0, 1.0);
  require(typical_p > 0 && typical_p <= 1, "typical_p", typical_p, "above 0 and at most 1");
  require(epsilon >= 0 && epsilon < 1, "epsilon", epsilon, "at least 0 and below 1");
  require(eta >= 0 && eta < 1, "eta", eta, "at least 0 and below 1");
  require(seed >= -1, "seed", seed, "at least 0, or -1 to draw one");

  require(groups >= 1 && beam_size % groups == 0, "groups", groups, "a divisor of beam_size = " + number(beam_size));
  require_between("diversity_penalty", diversity_penalty, 0.0, kInfinity);
  require_between("sibling_penalty", sibling_penalty, 0.0, kInfinity);
  require(top_tokens >= 0, "top_tokens", top_tokens, "at least 0");
}

void SearchOptions::validate_tokens(int64_t vocab) const {
  const auto check = [&](const char* field, int64_t token) {
    if (token < vocab) return;
    throw SearchError(std::string("search option ") + field + " = " + number(token) + ": the step scores only " +
                      number(vocab) + " tokens");
  };
  for (const int64_t token : eos_ids) check("eos_ids", token);
  for (const int64_t token : suppress) check("suppress", token);
  for (const int64_t token : suppress_at_start) check("suppress_at_start", token);
  for (const auto& sequence : bad_words) check("bad_words", sequence.back());
  for (const auto& [sequence, bias] : sequence_bias) check("sequence_bias", sequence.back());
  check("forced_first", forced_first);
  check("forced_last", forced_last);
  if (unk_penalty > 0) check("unk_id", unk_id);
}

bool SearchOptions::is_eos(int64_t token) const {
  return std::find(eos_ids.begin(), eos_ids.end(), token) != eos_ids.end();
}

}  // namespace seq2seq_kit
