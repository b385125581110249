#include "core/beam.h"
#include "core/methods/alternatives.h"
#include "core/methods/constrained.h"
#include "core/methods/groups.h"
#include "core/methods/samples.h"
#include "core/semantics/ct2.h"
#include "core/semantics/ct2_alternatives.h"
#include "core/semantics/fairseq.h"
#include "core/semantics/hf.h"
#include "core/semantics/hf_groups.h"
#include "core/semantics/joey.h"
#include "core/semantics/kit.h"
#include "core/semantics/marian.h"
#include "core/semantics/opennmt.h"
#include "core/semantics/sockeye.h"
#include "seq2seq_kit/errors.h"

namespace seq2seq_kit {
namespace {

/// Throws where the options ask for what constraints do not go together with.
void check_constraints(const SearchOptions& options) {
  if (options.semantics != Semantics::kit) {
    throw SearchError("constraints: semantics 'kit' knows them, '" + std::string(to_string(options.semantics)) +
                      "' does not");
  }
  const char* other = options.sampling != Sampling::off ? "sampling"
                      : options.groups > 1              ? "groups"
                      : options.sibling_penalty > 0     ? "sibling_penalty"
                      : options.alternatives            ? "alternatives"
                                                        : nullptr;
  if (other) throw SearchError(std::string("constraints do not go together with search option ") + other);
}

/// Throws where the options ask for more than one way to make hypotheses differ, or for one that the semantics has not.
void check_diversity(const SearchOptions& options) {
  struct Way {
    const char* option;
    bool asked;
    Semantics other;  // that knows it beside kit
  };
  const Way ways[] = {{"groups", options.groups > 1, Semantics::hf},
                      {"sibling_penalty", options.sibling_penalty > 0, Semantics::fairseq},
                      {"alternatives", options.alternatives, Semantics::ct2}};
  const char* asked = nullptr;
  for (const Way& way : ways) {
    if (!way.asked) continue;
    if (options.semantics != Semantics::kit && options.semantics != way.other) {
      throw SearchError(std::string("search option ") + way.option + ": semantics 'kit' and '" +
                        std::string(to_string(way.other)) + "' know it, '" + std::string(to_string(options.semantics)) +
                        "' does not");
    }
    if (asked) {
      throw SearchError(std::string("search option ") + asked + " does not go together with search option " +
                        way.option);
    }
    asked = way.option;
  }
  if (options.diversity_penalty > 0 && options.groups == 1) {
    throw SearchError("search option diversity_penalty is between groups: it needs groups above 1");
  }
}

/// Throws where patience would be heeded by nothing.
void check_patience(const SearchOptions& options) {
  const bool heeded =
      options.semantics == Semantics::ct2 || (options.semantics == Semantics::kit && options.stop == Stop::enough);
  if (options.patience == 1 || heeded) return;
  throw SearchError(
      "search option patience: semantics 'ct2', and 'kit' with stop = 'enough', know it; here it would do "
      "nothing");
}

/// Throws where the options ask for what sampling does not go together with.
void check_sampling(const SearchOptions& options) {
  const std::string sampling = "search option sampling = '" + std::string(to_string(options.sampling)) + "'";
  if (options.semantics != Semantics::kit && options.semantics != Semantics::hf) {
    throw SearchError(sampling + ": semantics 'kit' and 'hf' know it, '" + std::string(to_string(options.semantics)) +
                      "' does not");
  }
  const char* other = options.groups > 1            ? "groups"
                      : options.sibling_penalty > 0 ? "sibling_penalty"
                      : options.alternatives        ? "alternatives"
                                                    : nullptr;
  if (other) throw SearchError(sampling + " does not go together with search option " + other);
}

}  // namespace

std::unique_ptr<Beam> make_beam(const SearchOptions& options, const SentenceInput& sentence) {
  if (!sentence.constraints.empty()) {
    check_constraints(options);
    return std::make_unique<ConstrainedBeam>(options, sentence);
  }
  check_diversity(options);
  check_patience(options);
  if (options.sampling != Sampling::off) check_sampling(options);
  if (options.sampling == Sampling::tokens) return std::make_unique<SampleBeam>(options, sentence);
  switch (options.semantics) {
    case Semantics::kit:
      if (options.alternatives) return std::make_unique<AlternativesBeam>(options, sentence);
      if (options.groups > 1) return std::make_unique<GroupsBeam>(options, sentence);
      return std::make_unique<KitBeam>(options, sentence);
    case Semantics::hf:
      if (options.groups > 1) return std::make_unique<HfGroupsBeam>(options, sentence);
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
