#include "torch/training/residual.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "core/kernels/training/residual.h"
#include "torch/training/numbers.h"
#include "torch/training/threads.h"

namespace seq2seq_kit {
namespace {

constexpr int64_t kBlocks = 16;  // of rows, whose shares of a weight's gradient are added up: whatever the threads

void check(const at::Tensor& x, at::ScalarType y, const ResidualOptions& options) {
  const bool types = x.scalar_type() == y || (x.scalar_type() == at::kFloat && y == at::kBFloat16);
  TORCH_CHECK(types && x.dim() > 0, "expected x [..., H], and y of its type or bfloat16");
  TORCH_CHECK(options.probability >= 0 && options.probability < 1, "expected a probability from 0 to below 1");
  TORCH_CHECK(options.weight || !options.bias, "expected a bias beside a weight alone");
  for (const auto& parameter : {options.weight, options.bias}) {
    TORCH_CHECK(!parameter || (parameter->is_cpu() && parameter->scalar_type() == at::kFloat &&
                               parameter->is_contiguous() && parameter->sizes() == at::IntArrayRef({x.size(-1)})),
                "expected the norm's parameters [H] in float32 on the CPU");
  }
}

kernels::ResidualShape shape_of(const at::Tensor& x, const ResidualOptions& options) {
  constexpr double draws = 4294967296.0;
  const double dropped = std::min(std::round(options.probability * draws), draws - 1);
  kernels::ResidualShape shape{};
  shape.size = x.size(-1);
  shape.norm = options.bias ? kernels::Norm::layer : options.weight ? kernels::Norm::rms : kernels::Norm::none;
  shape.epsilon = static_cast<float>(options.epsilon);
  shape.weight = options.weight ? constant_numbers<float>(*options.weight) : nullptr;
  shape.bias = options.bias ? constant_numbers<float>(*options.bias) : nullptr;
  shape.drop = {static_cast<uint64_t>(options.seed), static_cast<uint32_t>(dropped),
                static_cast<float>(draws / (draws - dropped))};
  return shape;
}

/// Calls `work` with a number of the type of `x` and one of that of y.
template <typename Work>
void with_numbers_of(const at::Tensor& x, at::ScalarType y, const Work& work) {
  with_number_of(x, [&](auto stream) {
    if constexpr (std::is_same_v<decltype(stream), float>) {
      if (y == at::kBFloat16) return work(stream, kernels::Bfloat16{});
    }
    work(stream, stream);
  });
}

int64_t rows_of(const at::Tensor& x) { return x.size(-1) ? x.numel() / x.size(-1) : 0; }

}  // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> residual(const at::Tensor& x, const at::Tensor& y,
                                                        const ResidualOptions& options) {
  check(x, y.scalar_type(), options);
  TORCH_CHECK(x.sizes() == y.sizes() && y.is_cpu(), "x is ", x.sizes(), ", but y ", y.sizes());
  const kernels::ResidualShape shape = shape_of(x, options);
  const at::Tensor from = x.contiguous(), branch = y.contiguous();
  const int64_t rows = rows_of(x), size = shape.size;
  const bool normed = shape.norm != kernels::Norm::none;
  const at::Tensor out = at::empty_like(from);
  const at::Tensor sums = normed ? at::empty_like(from) : at::empty({0}, from.options());
  const at::Tensor moments = at::empty({normed ? rows : 0, 2}, at::kFloat);
  with_numbers_of(from, branch.scalar_type(), [&](auto stream, auto other) {
    using Stream = decltype(stream);
    using Branch = decltype(other);
    on_torch_threads(rows, 64, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t at = i * size;
        kernels::residual(shape, i,
                          kernels::ResidualRow<Stream, Branch>{
                              constant_numbers<Stream>(from) + at, constant_numbers<Branch>(branch) + at,
                              normed ? numbers<Stream>(sums) + at : nullptr, numbers<Stream>(out) + at,
                              normed ? numbers<float>(moments) + 2 * i : nullptr});
      }
    });
  });
  return {out, sums, moments};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> residual_backward(const at::Tensor& slope,
                                                                             const at::Tensor& sums,
                                                                             const at::Tensor& moments,
                                                                             at::ScalarType y_type,
                                                                             const ResidualOptions& options) {
  check(slope, y_type, options);
  TORCH_CHECK(!options.weight || (sums.sizes() == slope.sizes() && sums.scalar_type() == slope.scalar_type()),
              "the gradient is not like the sums");
  const kernels::ResidualShape shape = shape_of(slope, options);
  const at::Tensor from = slope.contiguous();
  const int64_t rows = rows_of(from), size = shape.size;
  const bool normed = shape.norm != kernels::Norm::none;
  const int64_t share_size = normed ? size : 0;
  const at::Tensor d_x = normed ? at::empty_like(from) : slope;
  const at::Tensor d_y = at::empty_like(from, y_type);
  const at::Tensor shares = at::zeros({2, kBlocks, share_size}, at::kFloat);
  with_numbers_of(from, y_type, [&](auto stream, auto other) {
    using Stream = decltype(stream);
    using Branch = decltype(other);
    on_torch_threads(kBlocks, 1, [&](int64_t first, int64_t last) {
      for (int64_t block = first; block < last; ++block) {
        float* share = numbers<float>(shares) + block * share_size;
        for (int64_t i = rows * block / kBlocks; i < rows * (block + 1) / kBlocks; ++i) {
          const int64_t at = i * size;
          kernels::residual_backward(
              shape, i,
              kernels::ResidualSlopes<Stream, Branch>{constant_numbers<Stream>(from) + at,
                                                      normed ? constant_numbers<Stream>(sums) + at : nullptr,
                                                      normed ? constant_numbers<float>(moments) + 2 * i : nullptr,
                                                      normed ? numbers<Stream>(d_x) + at : nullptr,
                                                      numbers<Branch>(d_y) + at, share, share + kBlocks * share_size});
        }
      }
    });
  });
  if (!normed) return {d_x, d_y, at::empty({0}), at::empty({0})};
  return {d_x, d_y, shares[0].sum(0), options.bias ? shares[1].sum(0) : at::empty({0})};
}

}  // namespace seq2seq_kit
