#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace seq2seq_kit {

/// Whose rules apply: score, stop rule, how EOS and length are counted.
enum class Semantics { kit };

/// `reference`: ATen's log-softmax in float32, then float32 adds. `fast`: fused kernels, equal but for last bits.
enum class Numerics { reference, fast };

/// How to search. The fields, their defaults and their meaning are those of
/// `seq2seq_kit.decoding.options.SearchOptions`, where they are documented.
struct SearchOptions {
  int64_t beam_size = 5;
  int64_t n_best = 1;
  double length_penalty = 1.0;
  int64_t min_length = 0;
  int64_t max_length = 256;
  double max_length_ratio = 0.0;
  int64_t max_length_margin = 10;
  int64_t bos_id = 1;
  std::vector<int64_t> eos_ids = {2};
  Semantics semantics = Semantics::kit;
  Numerics numerics = Numerics::fast;
  bool attention = false;

  /// Throws a SearchError that names the field, its value and the allowed range.
  void validate() const;

  bool is_eos(int64_t token) const;

  /// The tokens after which a sentence may only end; `source_length` counts only where `max_length_ratio` is set.
  int64_t limit(int64_t source_length) const;
};

/// Enumerations by the names that Python uses; an unknown name is a SearchError that lists the known ones.
Semantics parse_semantics(std::string_view name);
Numerics parse_numerics(std::string_view name);
std::string_view to_string(Semantics semantics);
std::string_view to_string(Numerics numerics);

}  // namespace seq2seq_kit
