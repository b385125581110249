#pragma once

#include <cstdint>
#include <vector>

#include "core/beam.h"
#include "core/candidate.h"
#include "core/sentence_scores.h"

namespace seq2seq_kit {

/// `sampling="beams"`: as many candidates as the beam wants, drawn without replacement from the continuations of all
/// live slots together (the stochastic beam search of Hugging Face; Kool et al. 2019 show that it is Gumbel-top-k).
/// Random bits are those of sample 0, draw after draw. Best first; with `semantics="hf"` in the order in which they are
/// drawn.
std::vector<Candidate> draw_candidates(SentenceScores& scores, const Beam& beam);

}  // namespace seq2seq_kit
