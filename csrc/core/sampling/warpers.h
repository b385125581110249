// What narrows a distribution before a token is drawn from it. Torch-free.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>

#include "core/sampling/buffers.h"
#include "seq2seq_kit/search_options.h"

namespace seq2seq_kit {

/// Log-probabilities [V] of the next token in a buffer of their own. What is removed becomes impossible.
struct SampleRow {
  std::span<float> scores;  // [V]
  std::span<float> maxima;  // of its blocks

  int64_t vocab() const { return static_cast<int64_t>(scores.size()); }

  /// The greatest score; -inf where nothing is possible.
  float max() const { return *std::max_element(maxima.begin(), maxima.end()); }
};

/// Narrows a row, in which something is possible, by the options `top_h`, `top_k`, `top_p`, `min_p`, `typical_p`,
/// `epsilon` and `eta`, in this order, which is Hugging Face's; each sees what those before it have left, renormalised,
/// and leaves at least one token; where beams are drawn with `semantics="hf"`, one more than there are end symbols. The
/// temperature has been applied before.
///
/// All of them are written in terms of d = max - x, how much less likely a token is than the likeliest, in nats; of the
/// weights w = 2^30 exp(-d), rounded to whole numbers; of W, their sum, and of T, the sum of 2^30 d exp(-d), rounded.
/// So p = w / W, -log p = d + log(W / 2^30), and the entropy is T / W + log(W / 2^30). Tokens are kept or removed by
/// their d alone: those of the same d share their fate.
///
/// - top-H (arXiv:2509.02510): of the 100 smallest d, renormalised, up to the last with which the terms -p log p, added
///   up in ascending order in float64, are at most this share of all; at least d = 0, also for beams.
/// - top-k (Fan et al. 2018): d up to the k-th smallest.
/// - top-p (Holtzman et al. 2020): the least radius r such that the tokens with d <= r weigh at least p W.
/// - min-p (Nguyen et al. 2024): d <= -log(min_p).
/// - typical (Meister et al. 2022): the least r such that the tokens with |d - T / W| <= r weigh at least p W.
/// - epsilon (Hewitt et al. 2022): -log p <= -log(epsilon).
/// - eta (Hewitt et al. 2022): the same with min(eta, sqrt(eta) exp(-entropy)) in place of epsilon.
///
/// d, the centre T / W and all radii are float32, what leads to them float64. `sums` [blocks] and `buffers` are written
/// to. Returns the sum of the weights where it is known: then `sums` are those of the blocks.
std::optional<int64_t> warp(const SearchOptions& options, SampleRow& row, int64_t* sums, SampleBuffers& buffers);

}  // namespace seq2seq_kit
