#pragma once

#include <pybind11/pybind11.h>

namespace seq2seq_kit {

/// Binds what native recurrent models are made of; after `bind_native_steps`.
void bind_recurrent(pybind11::module_& module);

}  // namespace seq2seq_kit
