// tanh, to less than two units in the last place, and the logistic sigmoid, to less than two and a half; NaN for NaN.
// After `lanes.inl`.

static inline Vector magnitude_of(Vector x) { return (Vector)((Words)x & 0x7fffffffu); }

/// Where tanh is steep the polynomial of Cephes' tanhf, and beyond (1 - exp(-2|x|)) / (1 + exp(-2|x|)).
static inline Vector tanh_of(Vector x) {
  constexpr float kSteep = 0.625f;
  const Vector magnitude = magnitude_of(x), square = x * x;
  Vector p = square * -5.70498872745e-3f + 2.06390887954e-2f;
  p = p * square - 5.37397155531e-2f;
  p = p * square + 1.33314422036e-1f;
  p = p * square - 3.33332819422e-1f;
  p = p * square * x + x;
  const Vector e = exp_of_negative(magnitude * -2.0f);
  const Vector flat = (1.0f - e) / (1.0f + e);
  const Vector with_sign = (Vector)((Words)flat | ((Words)x & 0x80000000u));
  return magnitude < kSteep ? p : with_sign;
}

/// 0 below -87.
static inline Vector sigmoid_of(Vector x) {
  const Vector e = exp_of_negative(-magnitude_of(x));  // of the side that cannot overflow
  return (x < 0 ? e : Vector{} + 1.0f) / (1.0f + e);
}
