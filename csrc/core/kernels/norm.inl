#include "core/kernels/lanes.inl"

float total(const float* x, int64_t size) {
  Lanes sums = all(0);
  for (int64_t i = 0; i < size; i += kLanes) sums = sums + load_some(x + i, size - i);
  return sum(sums);
}

float sum_of_squares(const float* x, int64_t size, float mean) {
  Lanes sums = all(0);
  for (int64_t i = 0; i < size; i += kLanes) {
    const Lanes apart = load_some(x + i, size - i, mean) - all(mean);
    sums = sums + apart * apart;
  }
  return sum(sums);
}

void scale(const float* x, int64_t size, float mean, float by, const float* weight, const float* bias, float* out) {
  for (int64_t i = 0; i < size; i += kLanes) {
    Lanes y = (load_some(x + i, size - i) - all(mean)) * all(by);
    if (weight) y = y * load_some(weight + i, size - i);
    if (bias) y = y + load_some(bias + i, size - i);
    store_some(y, out + i, size - i);
  }
}
