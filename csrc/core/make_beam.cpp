#include "core/beam.h"
#include "core/semantics/kit.h"
#include "seq2seq_kit/errors.h"

namespace seq2seq_kit {

std::unique_ptr<Beam> make_beam(const SearchOptions& options, const SentenceInput& sentence) {
  switch (options.semantics) {
    case Semantics::kit:
      return std::make_unique<KitBeam>(options, sentence);
    default:
      throw SearchError("search option semantics = '" + std::string(to_string(options.semantics)) +
                        "': not built into this engine");
  }
}

}  // namespace seq2seq_kit
