#pragma once

#include <pybind11/pybind11.h>

namespace seq2seq_kit {

/// Binds what makes a NativeStep of an operator of torch, or of a step that was compiled ahead of time.
void bind_function_steps(pybind11::module_& module);

}  // namespace seq2seq_kit
