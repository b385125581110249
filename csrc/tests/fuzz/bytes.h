// A fuzzer's bytes as numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

class Bytes {
 public:
  explicit Bytes(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }

  /// The next byte; 0 after the last.
  uint8_t byte() {
    if (bytes_.empty()) return 0;
    const uint8_t first = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return first;
  }

  /// One of [low, high], at most 256 of them.
  int64_t between(int64_t low, int64_t high) { return low + byte() % (high - low + 1); }

  /// True for one byte value in `times`: rarely, where no bytes are left never.
  bool once_in(int64_t times) { return byte() % times == times - 1; }

  template <typename T, size_t n>
  T one_of(const T (&values)[n]) {
    return values[byte() % n];
  }

 private:
  std::span<const uint8_t> bytes_;
};
