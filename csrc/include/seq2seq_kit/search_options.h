#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace seq2seq_kit {

/// Whose rules apply: candidates, score, stop rule, how EOS and lengths are counted.
enum class Semantics { kit, hf, fairseq, ct2, opennmt, marian, sockeye, joey };

/// `reference`: ATen's log-softmax in float32, then float32 adds. `fast`: fused kernels, equal but for last bits.
enum class Numerics { reference, fast };

/// When a sentence's search ends; `automatic` ("default" in Python) is the semantics' own rule.
enum class Stop { automatic, exact, enough, first, all, estimate, longest };

enum class CoverageKind { wu, see };

enum class Sampling { off, tokens, beams };

enum class Rng { counter, torch };

using TokenSequence = std::vector<int64_t>;

/// How to search. The fields, their defaults and their meaning are those of
/// `seq2seq_kit.decoding.options.SearchOptions`, where they are documented.
struct SearchOptions {
  int64_t beam_size = 5;
  int64_t n_best = 1;
  Semantics semantics = Semantics::kit;
  Numerics numerics = Numerics::fast;

  int64_t bos_id = 1;
  std::vector<int64_t> eos_ids = {2};
  int64_t unk_id = 3;

  int64_t min_length = 0;
  int64_t max_length = 256;
  int64_t min_new_tokens = 0;
  int64_t max_new_tokens = 0;
  double max_length_ratio = 0.0;
  int64_t max_length_margin = 10;
  int64_t length_decay_start = 0;
  double length_decay_factor = 1.0;

  double length_penalty = 1.0;
  double length_penalty_offset = 0.0;
  double word_penalty = 0.0;
  double brevity_penalty = 0.0;
  double brevity_ratio = 1.0;
  double coverage_penalty = 0.0;
  CoverageKind coverage = CoverageKind::wu;
  double unk_penalty = 0.0;

  Stop stop = Stop::automatic;
  double patience = 1.0;
  double max_seconds = 0.0;

  int64_t no_repeat_ngram = 0;
  std::vector<int64_t> no_repeat_ngram_except;
  int64_t no_repeat_ngram_source = 0;
  double repetition_penalty = 1.0;
  double repetition_penalty_source = 1.0;
  std::vector<TokenSequence> bad_words;
  std::vector<std::pair<TokenSequence, double>> sequence_bias;
  std::vector<int64_t> suppress;
  std::vector<int64_t> suppress_at_start;
  int64_t forced_first = -1;
  int64_t forced_last = -1;
  double prefix_bias = 0.0;

  Sampling sampling = Sampling::off;
  double temperature = 1.0;
  double top_h = 0.0;
  int64_t top_k = 0;
  double top_p = 1.0;
  double min_p = 0.0;
  double typical_p = 1.0;
  double epsilon = 0.0;
  double eta = 0.0;
  int64_t seed = -1;
  Rng rng = Rng::counter;

  int64_t groups = 1;
  double diversity_penalty = 0.0;
  double sibling_penalty = 0.0;
  bool alternatives = false;

  bool attention = false;
  int64_t top_tokens = 0;

  /// Throws a SearchError that names the field, its value and the allowed range.
  void validate() const;

  /// Throws a SearchError where a token id is not below `vocab`, the number of tokens that a step scores.
  void validate_tokens(int64_t vocab) const;

  bool is_eos(int64_t token) const;
};

/// Enumerations by the names that Python uses; an unknown name is a SearchError that lists the known ones.
Semantics parse_semantics(std::string_view name);
Numerics parse_numerics(std::string_view name);
Stop parse_stop(std::string_view name);
CoverageKind parse_coverage(std::string_view name);
Sampling parse_sampling(std::string_view name);
Rng parse_rng(std::string_view name);
std::string_view to_string(Semantics semantics);
std::string_view to_string(Numerics numerics);
std::string_view to_string(Stop stop);
std::string_view to_string(CoverageKind coverage);
std::string_view to_string(Sampling sampling);
std::string_view to_string(Rng rng);

}  // namespace seq2seq_kit
