#include "torch/training/cross_entropy.h"

#include <cstring>
#include <type_traits>
#include <vector>

#include "core/kernels/training/cross_entropy.h"
#include "torch/training/numbers.h"
#include "torch/training/threads.h"

namespace seq2seq_kit {
namespace {

void check(const at::Tensor& scores, const at::Tensor& labels, const at::Tensor& real) {
  TORCH_CHECK(scores.dim() == 2 && labels.dim() == 1 && real.dim() == 1,
              "expected scores [N, V], labels [N], real [N]");
  TORCH_CHECK(labels.size(0) == scores.size(0) && real.size(0) == scores.size(0), "expected as many labels as scores");
  TORCH_CHECK(labels.scalar_type() == at::kLong && real.scalar_type() == at::kBool, "expected labels int64, real bool");
  TORCH_CHECK(labels.is_cpu() && real.is_cpu(), "expected tensors on the CPU");
  const auto label = labels.accessor<int64_t, 1>();
  const auto is_real = real.accessor<bool, 1>();
  for (int64_t i = 0; i < labels.size(0); ++i) {
    TORCH_CHECK_INDEX(!is_real[i] || (label[i] >= 0 && label[i] < scores.size(1)), "label ", label[i],
                      " is out of the range of ", scores.size(1), " scores");
  }
}

}  // namespace

std::tuple<at::Tensor, at::Tensor> cross_entropy(const at::Tensor& scores, const at::Tensor& labels,
                                                 const at::Tensor& real, double on_label, double others) {
  check(scores, labels, real);
  const at::Tensor rows = scores.contiguous(), gradient = at::empty_like(rows);
  const int64_t count = rows.size(0), size = rows.size(1);
  const auto label = labels.accessor<int64_t, 1>();
  const auto is_real = real.accessor<bool, 1>();
  std::vector<kernels::CrossEntropy> found(count);
  with_number_of(rows, [&](auto number) {
    using Number = decltype(number);
    const Number* from = constant_numbers<Number>(rows);
    Number* to = numbers<Number>(gradient);
    on_torch_threads(count, 4, [&](int64_t begin, int64_t end) {
      std::vector<float> memory(std::is_same_v<Number, float> ? 0 : size);
      for (int64_t i = begin; i < end; ++i) {
        Number* slope = to + i * size;
        if (!is_real[i]) {
          std::memset(slope, 0, size * sizeof(Number));
          continue;
        }
        float* scratch;
        if constexpr (std::is_same_v<Number, float>) {
          scratch = slope;
        } else {
          scratch = memory.data();
        }
        found[i] = kernels::cross_entropy(from + i * size, size, label[i], static_cast<float>(on_label),
                                          static_cast<float>(others), scratch, slope);
      }
    });
  });
  const at::Tensor sums = at::zeros({3}, at::kDouble);
  double* sum = numbers<double>(sums);
  for (int64_t i = 0; i < count; ++i) {
    if (!is_real[i]) continue;
    sum[0] += found[i].loss;
    sum[1] += found[i].nll;
    sum[2] += found[i].correct;
  }
  return {sums, gradient};
}

}  // namespace seq2seq_kit
