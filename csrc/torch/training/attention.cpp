#include "torch/training/attention.h"

#include <vector>

#include "core/kernels/sentence_attention.h"
#include "torch/training/numbers.h"
#include "torch/training/threads.h"

namespace seq2seq_kit {
namespace {

/// The same numbers, those of the last dimension one after the other in memory.
at::Tensor with_rows(const at::Tensor& x) { return x.size(-1) <= 1 || x.stride(-1) == 1 ? x : x.contiguous(); }

void check(const at::Tensor& query, const at::Tensor& keys, const at::Tensor& values,
           const std::optional<at::Tensor>& bias) {
  TORCH_CHECK(query.dim() == 4 && keys.dim() == 4, "expected queries and keys of four dimensions");
  const int64_t count = query.size(0), heads = query.size(1), groups = keys.size(1), size = query.size(3);
  TORCH_CHECK(keys.size(0) == count && keys.size(3) == size && groups > 0 && heads % groups == 0, "queries ",
              query.sizes(), " do not go with keys ", keys.sizes());
  TORCH_CHECK(values.sizes() == keys.sizes(), "keys are ", keys.sizes(), ", but values ", values.sizes());
  TORCH_CHECK(keys.scalar_type() == query.scalar_type() && values.scalar_type() == query.scalar_type(),
              "queries, keys and values are of different types");
  TORCH_CHECK(keys.is_cpu() && values.is_cpu(), "expected tensors on the CPU");
  if (!bias) return;
  TORCH_CHECK(bias->sizes() == at::IntArrayRef({count, heads, query.size(2), keys.size(2)}), "bias is ", bias->sizes());
  TORCH_CHECK(bias->is_cpu() && bias->scalar_type() == at::kFloat, "expected a bias in float32 on the CPU");
}

/// What all groups of heads have in common, and how to find what each has of its own.
class Groups {
 public:
  Groups(const at::Tensor& query, const at::Tensor& keys, const std::optional<at::Tensor>& bias, bool causal,
         double scale)
      : bias_(bias), groups_(keys.size(1)) {
    shape_.heads = query.size(1) / groups_;
    shape_.queries = query.size(2);
    shape_.keys = keys.size(2);
    shape_.size = query.size(3);
    shape_.scale = static_cast<float>(scale);
    shape_.causal = causal;
    shape_.bias_head_stride = bias ? bias->stride(1) : 0;
    shape_.bias_query_stride = bias ? bias->stride(2) : 0;
  }

  /// Calls `work(shape, sentence, first head, group, scratch)` for each group of each sentence.
  template <typename Work>
  void each(int64_t count, const Work& work) const {
    on_torch_threads(count * groups_, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> scratch(kernels::attention_scratch(shape_));
      kernels::AttentionShape shape = shape_;
      for (int64_t i = begin; i < end; ++i) {
        const int64_t sentence = i / groups_, group = i % groups_, head = group * shape.heads;
        shape.bias =
            bias_ ? constant_numbers<float>(*bias_) + sentence * bias_->stride(0) + head * bias_->stride(1) : nullptr;
        work(shape, sentence, head, group, scratch.data());
      }
    });
  }

 private:
  kernels::AttentionShape shape_{};
  std::optional<at::Tensor> bias_;
  int64_t groups_;
};

/// The vectors of a sentence from a head on.
template <typename Number>
kernels::Vectors<const Number> vectors(const at::Tensor& x, int64_t sentence, int64_t head) {
  return {constant_numbers<Number>(x) + sentence * x.stride(0) + head * x.stride(1), x.stride(2), x.stride(1)};
}

template <typename Number>
kernels::Vectors<Number> own_vectors(const at::Tensor& x, int64_t sentence, int64_t head) {
  return {numbers<Number>(x) + sentence * x.stride(0) + head * x.stride(1), x.stride(2), x.stride(1)};
}

/// A new tensor of the shape of `x` [N, heads, Q, D] that lies in memory as [N, Q, heads, D].
at::Tensor by_position(const at::Tensor& x) {
  return at::empty({x.size(0), x.size(2), x.size(1), x.size(3)}, x.options()).transpose(1, 2);
}

}  // namespace

std::tuple<at::Tensor, at::Tensor> attend(const at::Tensor& query, const at::Tensor& keys, const at::Tensor& values,
                                          const std::optional<at::Tensor>& bias, bool causal, double scale) {
  check(query, keys, values, bias);
  const at::Tensor q = with_rows(query), k = with_rows(keys), v = with_rows(values);
  const std::optional<at::Tensor> added = bias ? std::optional(with_rows(*bias)) : std::nullopt;
  const at::Tensor contexts = by_position(q);
  const at::Tensor norms = at::empty({q.size(0), q.size(1), q.size(2)}, q.options().dtype(at::kFloat));
  with_number_of(q, [&](auto number) {
    using Number = decltype(number);
    Groups(q, k, added, causal, scale)
        .each(q.size(0),
              [&](const kernels::AttentionShape& shape, int64_t n, int64_t head, int64_t group, float* scratch) {
                kernels::attend(shape, vectors<Number>(q, n, head), vectors<Number>(k, n, group),
                                vectors<Number>(v, n, group), own_vectors<Number>(contexts, n, head),
                                numbers<float>(norms) + n * norms.stride(0) + head * norms.stride(1), scratch);
              });
  });
  return {contexts, norms};
}

std::array<at::Tensor, 3> attend_backward(const at::Tensor& slope, const at::Tensor& query, const at::Tensor& keys,
                                          const at::Tensor& values, const std::optional<at::Tensor>& bias,
                                          const at::Tensor& norms, bool causal, double scale) {
  check(query, keys, values, bias);
  TORCH_CHECK(slope.sizes() == query.sizes() && slope.scalar_type() == query.scalar_type(),
              "the gradient is not like the contexts");
  const at::Tensor d = with_rows(slope), q = with_rows(query), k = with_rows(keys), v = with_rows(values);
  const std::optional<at::Tensor> added = bias ? std::optional(with_rows(*bias)) : std::nullopt;
  const at::Tensor d_q = by_position(q), d_k = by_position(k), d_v = by_position(v);
  with_number_of(q, [&](auto number) {
    using Number = decltype(number);
    Groups(q, k, added, causal, scale)
        .each(q.size(0),
              [&](const kernels::AttentionShape& shape, int64_t n, int64_t head, int64_t group, float* scratch) {
                const kernels::AttentionGradients<Number> gradients{
                    vectors<Number>(d, n, head), own_vectors<Number>(d_q, n, head), own_vectors<Number>(d_k, n, group),
                    own_vectors<Number>(d_v, n, group)};
                kernels::attend_backward(
                    shape, vectors<Number>(q, n, head), vectors<Number>(k, n, group), vectors<Number>(v, n, group),
                    constant_numbers<float>(norms) + n * norms.stride(0) + head * norms.stride(1), gradients, scratch);
              });
  });
  return {d_q, d_k, d_v};
}

}  // namespace seq2seq_kit
