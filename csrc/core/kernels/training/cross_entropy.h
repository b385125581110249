// Cross-entropy with smoothed labels of one row of logits, and its gradient. Raw pointers, no allocation.
#pragma once

#include <cstdint>

#include "core/kernels/bfloat16.h"

namespace seq2seq_kit::kernels {

struct CrossEntropy {
  float loss;    // -(on_label - others) log p(label) - others * sum(log p)
  float nll;     // -log p(label)
  bool correct;  // no score is above the label's
};

/// For probabilities p = softmax(scores), of a label that shall have the probability `on_label` and other tokens that
/// shall have `others` each. `gradient` [size] gets p minus those. NaN where a score is NaN or the greatest infinite.
///
/// Args: `scratch` [size] is written to; for float32 it may be `gradient`, which then is written to twice.
CrossEntropy cross_entropy(const float* scores, int64_t size, int64_t label, float on_label, float others,
                           float* scratch, float* gradient);
CrossEntropy cross_entropy(const Bfloat16* scores, int64_t size, int64_t label, float on_label, float others,
                           float* scratch, Bfloat16* gradient);

}  // namespace seq2seq_kit::kernels
