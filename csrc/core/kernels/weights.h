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

/// The weights of a row whose greatest score is `max` or less: their sum, and that of each block into `sums`
/// [block_count(size)]. `maxima` [block_count(size)] are those of the row: blocks that weigh nothing are passed over.
int64_t weigh(const float* row, int64_t size, float max, const float* maxima, int64_t* sums);

/// The same, and the weights themselves into `weights` [size], but for blocks whose sum is 0.
int64_t weigh(const float* row, int64_t size, float max, const float* maxima, int64_t* sums, int32_t* weights);

/// The same, and the sum of surprisals.
Mass weigh_with_surprisal(const float* row, int64_t size, float max, const float* maxima, int64_t* sums,
                          int32_t* weights);

/// Makes tokens impossible unless |(max - x) - centre| <= radius, and brings `maxima` up to date.
void keep(float* row, int64_t size, float max, float centre, float radius, float* maxima);

/// The same, for a radius that is finite, and brings `sums` up to date, which `weigh` has written with `weights`.
/// Returns the sum of what is left.
int64_t keep(float* row, int64_t size, float max, float centre, float radius, float* maxima, const int32_t* weights,
             int64_t* sums);

/// The places, ascending, of the scores with from <= |(max - x) - centre| < to, into `found` [size]; returns how many.
int64_t between(const float* row, int64_t size, float max, float centre, float from, float to, int32_t* found);

/// Copies the scores that are not below `least` to `found` [size], in order; returns how many they are.
int64_t at_least(const float* row, int64_t size, float least, float* found);

}  // namespace seq2seq_kit::kernels
