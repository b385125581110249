#include "core/transformer/weights.h"

#include "core/kernels/norm.h"

namespace seq2seq_kit::transformer {

void Norm::operator()(const float* x, int64_t rows, float* out) const {
  const auto size = static_cast<int64_t>(weight.size());
  for (int64_t row = 0; row < rows; ++row, x += size, out += size) {
    if (bias.empty()) {
      kernels::rms_norm(x, size, weight.data(), epsilon, out);
    } else {
      kernels::layer_norm(x, size, weight.data(), bias.data(), epsilon, out);
    }
  }
}

}  // namespace seq2seq_kit::transformer
