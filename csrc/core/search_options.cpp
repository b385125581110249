#include "seq2seq_kit/search_options.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

#include "seq2seq_kit/errors.h"

namespace seq2seq_kit {
namespace {

constexpr std::string_view kSemanticsNames[] = {"kit"};
constexpr std::string_view kNumericsNames[] = {"reference", "fast"};

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

}  // namespace

Semantics parse_semantics(std::string_view name) { return parse<Semantics>("semantics", name, kSemanticsNames); }
Numerics parse_numerics(std::string_view name) { return parse<Numerics>("numerics", name, kNumericsNames); }
std::string_view to_string(Semantics semantics) { return kSemanticsNames[static_cast<size_t>(semantics)]; }
std::string_view to_string(Numerics numerics) { return kNumericsNames[static_cast<size_t>(numerics)]; }

void SearchOptions::validate() const {
  // Slots are counted in 32 bits, and lengths must not overflow when they are added: both are far above any use.
  constexpr int64_t kMaxBeam = 1 << 16;
  constexpr int64_t kMaxLength = 1 << 30;
  require(beam_size >= 1 && beam_size <= kMaxBeam, "beam_size", beam_size, "between 1 and " + number(kMaxBeam));
  require(n_best >= 1 && n_best <= beam_size, "n_best", n_best, "between 1 and beam_size = " + number(beam_size));
  require(std::isfinite(length_penalty) && length_penalty >= 0, "length_penalty", length_penalty,
          "finite and at least 0");
  require(max_length >= 1 && max_length <= kMaxLength, "max_length", max_length, "between 1 and " + number(kMaxLength));
  require(min_length >= 0 && min_length <= max_length, "min_length", min_length,
          "between 0 and max_length = " + number(max_length));
  require(std::isfinite(max_length_ratio) && max_length_ratio >= 0, "max_length_ratio", max_length_ratio,
          "finite and at least 0");
  require(max_length_margin >= 0 && max_length_margin <= kMaxLength, "max_length_margin", max_length_margin,
          "between 0 and " + number(kMaxLength));
  require(bos_id >= 0, "bos_id", bos_id, "at least 0");
  for (size_t i = 0; i < eos_ids.size(); ++i) {
    require(eos_ids[i] >= 0, "eos_ids", eos_ids[i], "token ids of at least 0");
    require(std::count(eos_ids.begin(), eos_ids.end(), eos_ids[i]) == 1, "eos_ids", eos_ids[i], "distinct token ids");
  }
}

bool SearchOptions::is_eos(int64_t token) const {
  return std::find(eos_ids.begin(), eos_ids.end(), token) != eos_ids.end();
}

int64_t SearchOptions::limit(int64_t source_length) const {
  if (max_length_ratio == 0) return max_length;
  const double by_source = std::floor(max_length_ratio * static_cast<double>(source_length)) + max_length_margin;
  return static_cast<int64_t>(std::clamp(by_source, 1.0, static_cast<double>(max_length)));
}

}  // namespace seq2seq_kit
