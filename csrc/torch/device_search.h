// A search whose state stays on the device of the step: the host follows a few steps behind, and never waits for more.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/processors/processor.h"
#include "seq2seq_kit/search_options.h"
#include "seq2seq_kit/sentence_input.h"
#include "torch/function_step_model.h"
#include "torch/search.h"
#include "torch/searched_sentences.h"

namespace seq2seq_kit {

/// What asks for a search whose state is on the host, as a message says it; nothing where the device will do.
std::optional<std::string> why_on_host(const SearchOptions& options, const std::vector<SentenceInput>& sentences,
                                       const Processors& processors, const SearchControl& control);

/// Searches a batch of at least one sentence. The device chooses which hypotheses go on (`DeviceBeams`), step after
/// step at the same shapes; each step's choice is copied to the host while the next steps run. There the beams of `all`
/// take it by their own rules, so that what ends, when, and with what score is decided in one place for all searches.
/// Steps that the device has run ahead of a sentence's end are ignored.
void search_on_device(const FunctionStepModel& model, const SearchOptions& options,
                      const std::vector<SentenceInput>& sentences, SearchControl& control, SearchedSentences& all);

}  // namespace seq2seq_kit
