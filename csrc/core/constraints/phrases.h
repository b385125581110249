// Phrases that must appear in an output, as they are counted. Torch-free.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "seq2seq_kit/search_options.h"
#include "seq2seq_kit/sentence_input.h"

namespace seq2seq_kit {

using Tokens = std::span<const int64_t>;

bool contains(Tokens tokens, Tokens phrase);

/// Whether one of the phrases ends where `tokens` does.
bool completes(Tokens tokens, const std::vector<TokenSequence>& phrases);

/// How often a sentence's constraint must appear: a constraint given again asks for its phrases once more.
int64_t times_asked(const SentenceInput& sentence, size_t constraint);

/// The sentence's constraints that an output does not meet, ascending. Occurrences may overlap.
std::vector<int64_t> unmet_constraints(const SentenceInput& sentence, Tokens tokens);

}  // namespace seq2seq_kit
