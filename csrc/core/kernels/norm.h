// Normalisation of one row of numbers. As `row.h`: the same result on every instruction set.
#pragma once

#include <cstdint>

namespace seq2seq_kit::kernels {

/// out [size] = (x - mean) / sqrt(variance + epsilon) * weight + bias (Ba et al. 2016). `weight` and `bias` [size] may
/// be null; `out` may be `x`.
void layer_norm(const float* x, int64_t size, const float* weight, const float* bias, float epsilon, float* out);

/// out [size] = x / sqrt(mean(x²) + epsilon) * weight (Zhang & Sennrich 2019). `weight` may be null; `out` may be `x`.
void rms_norm(const float* x, int64_t size, const float* weight, float epsilon, float* out);

}  // namespace seq2seq_kit::kernels
