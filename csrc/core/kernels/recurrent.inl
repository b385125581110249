#include "core/kernels/lanes.inl"

#include "core/kernels/sigmoid.inl"

static inline Lanes tanh_of(Lanes x) {
  for (Vector& part : x.parts) part = tanh_of(part);
  return x;
}

static inline Lanes sigmoid_of(Lanes x) {
  for (Vector& part : x.parts) part = sigmoid_of(part);
  return x;
}

void lstm_cell(const float* gates, const float* c, int64_t size, float* new_h, float* new_c) {
  for (int64_t i = 0; i < size; i += kLanes) {
    const int64_t left = size - i;
    const auto gate = [&](int64_t which) { return load_some(gates + which * size + i, left); };
    const Lanes kept = sigmoid_of(gate(1)) * load_some(c + i, left);
    const Lanes now = kept + sigmoid_of(gate(0)) * tanh_of(gate(2));
    store_some(now, new_c + i, left);
    store_some(sigmoid_of(gate(3)) * tanh_of(now), new_h + i, left);
  }
}

void gru_cell(const float* x, const float* past, const float* h, int64_t size, float* new_h) {
  for (int64_t i = 0; i < size; i += kLanes) {
    const int64_t left = size - i;
    const auto of_x = [&](int64_t which) { return load_some(x + which * size + i, left); };
    const auto of_past = [&](int64_t which) { return load_some(past + which * size + i, left); };
    const Lanes reset = sigmoid_of(of_x(0) + of_past(0)), update = sigmoid_of(of_x(1) + of_past(1));
    const Lanes fresh = tanh_of(of_x(2) + reset * of_past(2));
    store_some(fresh + update * (load_some(h + i, left) - fresh), new_h + i, left);
  }
}

void hyperbolic_tangent(const float* x, int64_t size, float* out) {
  for (int64_t i = 0; i < size; i += kLanes) store_some(tanh_of(load_some(x + i, size - i)), out + i, size - i);
}
