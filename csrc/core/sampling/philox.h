// The random generator of samples. Torch-free.
#pragma once

#include <array>
#include <cstdint>

namespace seq2seq_kit {

/// Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011): 128 random bits
/// that are a function of a counter and a key. There is no state: who asks in which order does not matter.
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// What a random number is drawn for.
struct DrawId {
  uint64_t sentence;  // SentenceInput::key
  int64_t sample;     // which of the sentence's samples; 0 where they are drawn together
  int64_t position;   // of the token
  int64_t draw;       // which of several at this position
};

/// 64 random bits: the first two words of philox((sentence, sample, position, draw), seed), the first the lower half.
/// Of each number of the counter the lowest 32 bits count; the seed's lower half is the key's first word.
uint64_t random_bits(uint64_t seed, const DrawId& id);

/// A whole number in [0, size): the upper half of the 128-bit product of random bits and `size`, which is uniform to
/// size / 2^64.
int64_t scale_to(uint64_t random, int64_t size);

}  // namespace seq2seq_kit
