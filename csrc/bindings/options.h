#pragma once

#include <pybind11/pybind11.h>

namespace seq2seq_kit {

/// SearchOptions, SentenceInput and Automaton, with the fields of the Python classes of the same names.
void bind_options(pybind11::module_& module);

}  // namespace seq2seq_kit
