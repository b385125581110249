// Passes over one row of scores from which tokens are drawn. As `row.h`: the same result on every instruction set.
#pragma once

#include <cstdint>

namespace seq2seq_kit::kernels {

/// The weight of the likeliest token.
inline constexpr double kOne = 1 << 30;

/// Scores further than this below the greatest weigh nothing.
inline constexpr float kWeightless = 22.0f;

/// 2^30 exp(-d), rounded, for scores that are d >= 0 below `max`. Weights are whole numbers, so that their sums are
/// exact in any order; a token that is 2^31 times less likely than the likeliest weighs nothing. `weights` [size].
void weights(const float* row, int64_t size, float max, int32_t* weights);

/// How far scores are from `centre`, in steps: |(max - x) - centre| * steps, rounded down, at most `most`. `distances`
/// [size].
void distances(const float* row, int64_t size, float max, float centre, float steps, int32_t most, int32_t* distances);

/// Sums over a row.
struct Mass {
  int64_t weight = 0;     // of the weights
  int64_t surprisal = 0;  // of 2^30 d exp(-d), rounded, over tokens that weigh something
};

/// The sums of a row whose greatest score is `max` or less; those of the weights of each block into `sums`
/// [block_count(size)]. `maxima` [block_count(size)] are those of the row: blocks that weigh nothing are passed over.
Mass weigh(const float* row, int64_t size, float max, const float* maxima, int64_t* sums);

/// Makes tokens impossible unless |(max - x) - centre| <= radius, and brings `maxima` up to date.
void keep(float* row, int64_t size, float max, float centre, float radius, float* maxima);

}  // namespace seq2seq_kit::kernels
