#include "core/processors/processor.h"

namespace seq2seq_kit {

Processors make_processors(const SearchOptions& /*options*/, std::span<const SentenceInput> /*sentences*/) { return {}; }

}  // namespace seq2seq_kit
