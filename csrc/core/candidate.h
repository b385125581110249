#pragma once

#include <cstdint>

namespace seq2seq_kit {

/// A hypothesis continued by one token. Candidates of a sentence are totally ordered: higher score first, then lower
/// slot, then lower token id.
struct Candidate {
  float score;     // the sum of token log-probabilities, this token's included
  float log_prob;  // this token's own
  int32_t slot;    // the live hypothesis that it continues
  int64_t token;
};

/// Whether `a` comes before `b`.
inline bool better(const Candidate& a, const Candidate& b) {
  if (a.score != b.score) return a.score > b.score;
  return a.slot != b.slot ? a.slot < b.slot : a.token < b.token;
}

/// Which tokens the rules of a semantics let come next.
enum class Allowed { all, all_but_eos, only_eos };

}  // namespace seq2seq_kit
