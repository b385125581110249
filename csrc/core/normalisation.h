// What becomes of a row of raw scores before candidates are chosen. Torch-free.
#pragma once

#include "seq2seq_kit/search_options.h"

namespace seq2seq_kit {

/// Whether processors see logits, so that what they bar loses its share of the probability; elsewhere they see
/// log-probabilities. CTranslate2 does so, and Hugging Face but for beams.
inline bool processes_logits(const SearchOptions& options) {
  const bool greedy = options.beam_size == 1 && options.sampling == Sampling::off;
  return options.semantics == Semantics::ct2 ||
         (options.semantics == Semantics::hf && (greedy || options.sampling == Sampling::tokens));
}

/// What logits are divided by before their log-softmax is taken. Where Hugging Face draws beams, the temperature comes
/// last: see `Lots`.
inline float row_temperature(const SearchOptions& options) {
  const bool draws_beams = options.semantics == Semantics::hf && options.sampling == Sampling::beams;
  return draws_beams ? 1.0f : static_cast<float>(options.temperature);
}

}  // namespace seq2seq_kit
