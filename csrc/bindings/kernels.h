#pragma once

#include <pybind11/pybind11.h>

namespace seq2seq_kit {

/// `PackedMatrix`, and the instruction sets: for tests and measurements.
void bind_kernels(pybind11::module_& module);

}  // namespace seq2seq_kit
