#include "core/sampling/philox.h"

namespace seq2seq_kit {

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t left = uint64_t{0xD2511F53} * counter[0];
    const uint64_t right = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(right >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(right),
               static_cast<uint32_t>(left >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(left)};
    key[0] += 0x9E3779B9;  // the golden ratio
    key[1] += 0xBB67AE85;  // sqrt(3) - 1
  }
  return counter;
}

uint64_t random_bits(uint64_t seed, const DrawId& id) {
  const auto words = philox({static_cast<uint32_t>(id.sentence), static_cast<uint32_t>(id.sample),
                             static_cast<uint32_t>(id.position), static_cast<uint32_t>(id.draw)},
                            {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  return (uint64_t{words[1]} << 32) | words[0];
}

int64_t scale_to(uint64_t random, int64_t size) {
  const auto n = static_cast<uint64_t>(size);  // schoolbook, in 32-bit halves: not every compiler has 128-bit integers
  const uint64_t low = (random & 0xffffffff) * (n & 0xffffffff);
  const uint64_t cross = (random >> 32) * (n & 0xffffffff) + (low >> 32);
  const uint64_t other = (random & 0xffffffff) * (n >> 32) + (cross & 0xffffffff);
  return static_cast<int64_t>((random >> 32) * (n >> 32) + (cross >> 32) + (other >> 32));
}

}  // namespace seq2seq_kit
