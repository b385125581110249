#include "core/beam.h"
#include "core/methods/alternatives.h"
#include "core/methods/groups.h"
#include "core/methods/samples.h"
#include "core/semantics/ct2.h"
#include "core/semantics/ct2_alternatives.h"
#include "core/semantics/fairseq.h"
#include "core/semantics/hf.h"
#include "core/semantics/joey.h"
#include "core/semantics/kit.h"
#include "core/semantics/marian.h"
#include "core/semantics/opennmt.h"
#include "core/semantics/sockeye.h"
#include "seq2seq_kit/errors.h"

namespace seq2seq_kit {

std::unique_ptr<Beam> make_beam(const SearchOptions& options, const SentenceInput& sentence) {
  if (options.sampling == Sampling::tokens) {
    if (options.semantics == Semantics::kit || options.semantics == Semantics::hf) {
      return std::make_unique<SampleBeam>(options, sentence);
    }
    throw SearchError("search option sampling = 'tokens': semantics 'kit' and 'hf' know it, '" +
                      std::string(to_string(options.semantics)) + "' does not");
  }
  switch (options.semantics) {
    case Semantics::kit:
      if (options.alternatives) return std::make_unique<AlternativesBeam>(options, sentence);
      if (options.groups > 1) return std::make_unique<GroupsBeam>(options, sentence);
      return std::make_unique<KitBeam>(options, sentence);
    case Semantics::hf:
      return std::make_unique<HfBeam>(options, sentence);
    case Semantics::ct2:
      if (options.alternatives) return std::make_unique<Ct2Alternatives>(options, sentence);
      return std::make_unique<Ct2Beam>(options, sentence);
    case Semantics::fairseq:
      return std::make_unique<FairseqBeam>(options, sentence);
    case Semantics::opennmt:
      return std::make_unique<OpenNmtBeam>(options, sentence);
    case Semantics::marian:
      return std::make_unique<MarianBeam>(options, sentence);
    case Semantics::sockeye:
      return std::make_unique<SockeyeBeam>(options, sentence);
    case Semantics::joey:
      return std::make_unique<JoeyBeam>(options, sentence);
    default:
      throw SearchError("search option semantics = '" + std::string(to_string(options.semantics)) +
                        "': not built into this engine");
  }
}

}  // namespace seq2seq_kit
