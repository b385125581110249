#pragma once

#include <pybind11/pybind11.h>

namespace seq2seq_kit {

/// Binds `NativeStep`, and what makes some.
void bind_native_steps(pybind11::module_& module);

}  // namespace seq2seq_kit
