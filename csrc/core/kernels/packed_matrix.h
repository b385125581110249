// Matrix products with weights that stay the same for many calls: those of a model that decodes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace seq2seq_kit::kernels {

/// In what the weights are kept and multiplied; sums are float32 in the first two.
///
/// - `fp32`.
/// - `bf16`: weights and inputs are rounded to bfloat16; numbers below 1.2e-38 may count as 0.
/// - `int8`: weights are symmetric with one scale an output; inputs are quantised to 8 bits with one scale and one zero
///   point a row, from its least and greatest value; sums are exact.
enum class Precision { fp32, bf16, int8 };

/// `gelu` is the exact one, x Φ(x), and `gelu_tanh` its approximation (Hendrycks & Gimpel 2016).
enum class Activation { none, relu, gelu, gelu_tanh, silu };

/// More inputs than this could make an exact sum of int8 overflow.
inline constexpr int64_t kMostInt8Inputs = 66000;

/// Weights [outputs, inputs] and a bias [outputs], copied into the order in which the kernels read them. Immutable:
/// threads share it. Whatever instruction set packed it, every other may read it.
class PackedMatrix {
 public:
  /// `bias` may be null. Throws std::invalid_argument unless `outputs` is at least 1 and `inputs` at least 0, for int8
  /// at most `kMostInt8Inputs`. In int8, weights that are not finite make their output NaN.
  PackedMatrix(const float* weights, const float* bias, int64_t outputs, int64_t inputs, Precision precision);
  PackedMatrix(PackedMatrix&&) noexcept;
  PackedMatrix& operator=(PackedMatrix&&) noexcept;
  ~PackedMatrix();

  int64_t outputs() const;
  int64_t inputs() const;
  Precision precision() const;

  /// Of memory.
  size_t bytes() const;

  struct Packed;
  const Packed& packed() const { return *packed_; }

 private:
  std::unique_ptr<Packed> packed_;
};

/// out [rows, outputs] = activation(x [rows, inputs] W^T + bias) + added [rows, outputs]. Strides from row to row are
/// in numbers. `added` may be null, has the stride of `out` and may be `out` itself; `x` and `out` may not overlap.
///
/// On one instruction set a row has the same result, to the bit, whatever other rows it is multiplied with: every sum
/// is taken in the order of the inputs. Outputs are shared out to the team that the thread leads (`core/team.h`).
void multiply(const PackedMatrix& w, const float* x, int64_t rows, int64_t x_stride, float* out, int64_t out_stride,
              Activation activation = Activation::none, const float* added = nullptr);

/// The output layer without its scores: of each row of x W^T + bias the `count` greatest, at most `outputs`, descending
/// and equal ones by the lower token, into `scores` and `tokens` [rows, count], and log(sum(exp)) of all of them into
/// `log_sums` [rows]. The same promise as for `multiply`.
///
/// The scores of the tokens `barred`, which ascend, count as -inf. A score of NaN or +inf, barred or not, makes its
/// row's `log_sums` NaN. Selection takes NaN for -inf.
void multiply_top(const PackedMatrix& w, const float* x, int64_t rows, int64_t x_stride, int64_t count, float* scores,
                  int64_t* tokens, float* log_sums, std::span<const int64_t> barred = {});

}  // namespace seq2seq_kit::kernels
