#include "core/kernels/lanes.inl"

float block_maxima(const float* row, int64_t size, float* maxima) {
  float max = kNone;
  for (int64_t start = 0; start < size; start += kBlock) {
    const int64_t end = start + kBlock < size ? start + kBlock : size;
    Lanes lanes = all(kNone);
    int64_t i = start;
    for (; i + kLanes <= end; i += kLanes) lanes = greater(lanes, load(row + i));
    if (i < end) lanes = greater(lanes, load(row + i, end - i, kNone));
    const float block = greatest(lanes);
    *maxima++ = block;
    max = block > max ? block : max;
  }
  return max;
}

double sum_exp(const float* row, int64_t size, float max, float scale) {
  constexpr int64_t kChunk = 64 * kLanes;  // short sums in float32, their sum in double: accurate for any vocabulary
  double total = 0;
  for (int64_t start = 0; start < size; start += kChunk) {
    const int64_t end = start + kChunk < size ? start + kChunk : size;
    Lanes sums = all(0);
    const auto add = [&](const Lanes& x) __attribute__((always_inline)) {
      for (int64_t i = 0; i < kParts; ++i) sums.parts[i] += exp_of_negative((x.parts[i] - max) * scale);
    };
    int64_t i = start;
    for (; i + kLanes <= end; i += kLanes) {
      __builtin_prefetch(row + size +
                         i);  // rows lie one after another: the next is on its way while this one is summed
      add(load(row + i));
    }
    if (i < end) add(load(row + i, end - i, kNone));
    total += sum(sums);
  }
  return total;
}

bool has_nan(const float* row, int64_t size) {
  int32_t found = 0;
  for (int64_t i = 0; i < size; ++i) found |= row[i] != row[i];
  return found != 0;
}
