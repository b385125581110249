#include "bindings/options.h"

#include <pybind11/stl.h>

#include <memory>
#include <string>

#include "seq2seq_kit/search_options.h"
#include "seq2seq_kit/sentence_input.h"

namespace py = pybind11;

namespace seq2seq_kit {
namespace {

/// An enumeration as its name.
template <typename Enum>
void bind_name(py::class_<SearchOptions>& options, const char* field, Enum SearchOptions::* member,
               Enum (*parse)(std::string_view)) {
  options.def_property(
      field, [member](const SearchOptions& self) { return std::string(to_string(self.*member)); },
      [member, parse](SearchOptions& self, const std::string& name) { self.*member = parse(name); });
}

}  // namespace

void bind_options(py::module_& module) {
  py::class_<SearchOptions> options(module, "SearchOptions");
  options.def(py::init<>());
  options.def_readwrite("beam_size", &SearchOptions::beam_size);
  options.def_readwrite("n_best", &SearchOptions::n_best);
  bind_name(options, "semantics", &SearchOptions::semantics, &parse_semantics);
  bind_name(options, "numerics", &SearchOptions::numerics, &parse_numerics);
  options.def_readwrite("bos_id", &SearchOptions::bos_id);
  options.def_readwrite("eos_ids", &SearchOptions::eos_ids);
  options.def_readwrite("unk_id", &SearchOptions::unk_id);
  options.def_readwrite("min_length", &SearchOptions::min_length);
  options.def_readwrite("max_length", &SearchOptions::max_length);
  options.def_readwrite("min_new_tokens", &SearchOptions::min_new_tokens);
  options.def_readwrite("max_new_tokens", &SearchOptions::max_new_tokens);
  options.def_readwrite("max_length_ratio", &SearchOptions::max_length_ratio);
  options.def_readwrite("max_length_margin", &SearchOptions::max_length_margin);
  options.def_readwrite("length_decay_start", &SearchOptions::length_decay_start);
  options.def_readwrite("length_decay_factor", &SearchOptions::length_decay_factor);
  options.def_readwrite("length_penalty", &SearchOptions::length_penalty);
  options.def_readwrite("length_penalty_offset", &SearchOptions::length_penalty_offset);
  options.def_readwrite("word_penalty", &SearchOptions::word_penalty);
  options.def_readwrite("brevity_penalty", &SearchOptions::brevity_penalty);
  options.def_readwrite("brevity_ratio", &SearchOptions::brevity_ratio);
  options.def_readwrite("coverage_penalty", &SearchOptions::coverage_penalty);
  bind_name(options, "coverage", &SearchOptions::coverage, &parse_coverage);
  options.def_readwrite("unk_penalty", &SearchOptions::unk_penalty);
  bind_name(options, "stop", &SearchOptions::stop, &parse_stop);
  options.def_readwrite("patience", &SearchOptions::patience);
  options.def_readwrite("max_seconds", &SearchOptions::max_seconds);
  options.def_readwrite("no_repeat_ngram", &SearchOptions::no_repeat_ngram);
  options.def_readwrite("no_repeat_ngram_except", &SearchOptions::no_repeat_ngram_except);
  options.def_readwrite("no_repeat_ngram_source", &SearchOptions::no_repeat_ngram_source);
  options.def_readwrite("repetition_penalty", &SearchOptions::repetition_penalty);
  options.def_readwrite("repetition_penalty_source", &SearchOptions::repetition_penalty_source);
  options.def_readwrite("bad_words", &SearchOptions::bad_words);
  options.def_readwrite("sequence_bias", &SearchOptions::sequence_bias);
  options.def_readwrite("suppress", &SearchOptions::suppress);
  options.def_readwrite("suppress_at_start", &SearchOptions::suppress_at_start);
  options.def_readwrite("forced_first", &SearchOptions::forced_first);
  options.def_readwrite("forced_last", &SearchOptions::forced_last);
  options.def_readwrite("prefix_bias", &SearchOptions::prefix_bias);
  bind_name(options, "sampling", &SearchOptions::sampling, &parse_sampling);
  options.def_readwrite("temperature", &SearchOptions::temperature);
  options.def_readwrite("top_h", &SearchOptions::top_h);
  options.def_readwrite("top_k", &SearchOptions::top_k);
  options.def_readwrite("top_p", &SearchOptions::top_p);
  options.def_readwrite("min_p", &SearchOptions::min_p);
  options.def_readwrite("typical_p", &SearchOptions::typical_p);
  options.def_readwrite("epsilon", &SearchOptions::epsilon);
  options.def_readwrite("eta", &SearchOptions::eta);
  options.def_readwrite("seed", &SearchOptions::seed);
  bind_name(options, "rng", &SearchOptions::rng, &parse_rng);
  options.def_readwrite("groups", &SearchOptions::groups);
  options.def_readwrite("diversity_penalty", &SearchOptions::diversity_penalty);
  options.def_readwrite("sibling_penalty", &SearchOptions::sibling_penalty);
  options.def_readwrite("alternatives", &SearchOptions::alternatives);
  options.def_readwrite("attention", &SearchOptions::attention);
  options.def_readwrite("top_tokens", &SearchOptions::top_tokens);
  options.def("validate", &SearchOptions::validate);

  py::class_<Automaton, std::shared_ptr<Automaton>>(module, "Automaton")
      .def(py::init<>())
      .def_readwrite("arcs", &Automaton::arcs)
      .def_readwrite("accepting", &Automaton::accepting);

  py::class_<SentenceInput>(module, "SentenceInput")
      .def(py::init<>())
      .def_readwrite("source_length", &SentenceInput::source_length)
      .def_readwrite("source", &SentenceInput::source)
      .def_readwrite("prefix", &SentenceInput::prefix)
      .def_readwrite("constraints", &SentenceInput::constraints)
      .def_readwrite("banned", &SentenceInput::banned)
      .def_property(
          "automaton", [](const SentenceInput& self) { return std::const_pointer_cast<Automaton>(self.automaton); },
          [](SentenceInput& self, std::shared_ptr<Automaton> automaton) { self.automaton = std::move(automaton); })
      .def_readwrite("key", &SentenceInput::key);
}

}  // namespace seq2seq_kit
