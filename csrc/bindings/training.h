#pragma once

#include <pybind11/pybind11.h>

namespace seq2seq_kit {

/// The kernels of training on a CPU.
void bind_training(pybind11::module_& module);

}  // namespace seq2seq_kit
