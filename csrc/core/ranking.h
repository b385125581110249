// By what finished hypotheses are ranked. Torch-free.
#pragma once

#include <cstdint>

#include "seq2seq_kit/search_options.h"
#include "seq2seq_kit/sentence_input.h"

namespace seq2seq_kit {

/// ((β + n) / (β + 1)) ** α, in float64: the length penalty of Wu et al. 2016 (β = 5), n ** α (β = 0), Sockeye's.
double length_penalty(const SearchOptions& options, int64_t length);

/// (sum - word_penalty * n) / length_penalty(n) + brevity_penalty * min(0, 1 - expected / n), in float64, with
/// expected = brevity_ratio * source length.
double ranking_score(const SearchOptions& options, const SentenceInput& sentence, float sum, int64_t length);

/// The greatest score that a hypothesis whose sum can only fall from `sum` may reach with a length in
/// [shortest, longest].
double best_possible_score(const SearchOptions& options, const SentenceInput& sentence, float sum, int64_t shortest,
                           int64_t longest);

}  // namespace seq2seq_kit
