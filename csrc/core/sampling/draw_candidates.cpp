#include "core/sampling/draw_candidates.h"

#include <algorithm>

#include "core/sampling/lots.h"
#include "core/sampling/philox.h"

namespace seq2seq_kit {

std::vector<Candidate> draw_candidates(SentenceScores& scores, const Beam& beam) {
  const SearchOptions& options = beam.options();
  Lots lots = Lots::of_all(scores, options);
  std::vector<Candidate> drawn;
  for (int64_t draw = 0; draw < beam.wanted() && lots.any(); ++draw) {
    const DrawId id{static_cast<uint64_t>(beam.sentence().key), 0, beam.length(), draw};
    drawn.push_back(lots.draw(random_bits(static_cast<uint64_t>(options.seed), id)));
    lots.remove(drawn.back());
  }
  if (options.semantics != Semantics::hf) std::sort(drawn.begin(), drawn.end(), better);
  return drawn;
}

}  // namespace seq2seq_kit
