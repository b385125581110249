#pragma once

#include <cstddef>
#include <cstdint>

namespace seq2seq_kit {

/// Whether so many tokens are better marked, in an array that reaches to the greatest of them, than listed.
inline bool worth_marking(size_t tokens, int64_t least, int64_t greatest) {
  constexpr size_t kMany = 128;
  constexpr int64_t kMostMarks = 1 << 24;  // ids are not checked against the vocabulary before the first step
  return tokens >= kMany && least >= 0 && greatest < kMostMarks;
}

}  // namespace seq2seq_kit
