// Passes over one row of scores from which tokens are drawn. As `row.h`: the same result on every instruction set.
#pragma once

#include <cstdint>

#include "core/kernels/exp.h"
#include "core/kernels/row.h"

namespace seq2seq_kit::kernels {

/// The weight of the likeliest token.
inline constexpr float kOne = 1 << 30;

/// Scores further than this below the greatest weigh nothing.
inline constexpr float kWeightless = 22.0f;

/// 2^30 exp(-d), rounded, for a score that is d >= 0 below the greatest. Weights are whole numbers, so that their sums
/// are exact in any order; a token that is 2^31 times less likely than the likeliest weighs nothing.
INLINE int32_t weight(float d) { return static_cast<int32_t>(exp_of_negative(-d) * kOne + 0.5f); }

/// Sums over a row.
struct Mass {
  int64_t weight = 0;     // of weight(d)
  int64_t surprisal = 0;  // of 2^30 d exp(-d), rounded, over tokens that weigh something
};

/// Sums over the tokens whose score is `max` or less; their weights by block also into `sums` [block_count(size)].
/// `maxima` [block_count(size)] are those of the row: blocks that weigh nothing are passed over.
Mass weigh(const float* row, int64_t size, float max, const float* maxima, int64_t* sums);

/// Makes tokens impossible unless |(max - x) - centre| <= radius, and brings `maxima` up to date.
void keep(float* row, int64_t size, float max, float centre, float radius, float* maxima);

}  // namespace seq2seq_kit::kernels
