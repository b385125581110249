// A decoder's step that PyTorch has compiled ahead of time (AOTInductor), and that runs without Python.
#pragma once

#include <memory>
#include <string>

#include "torch/function_step_model.h"

namespace seq2seq_kit {

/// The package `path` (a `.pt2` file, which holds the weights) as a step function. Its code takes tokens, position and
/// the state's rows, history and sentences, contiguous and in the state's order, and gives scores, rows, new_history
/// and attention, if any, in one list. `runners` threads can call it at the same time. Loading runs what is in the
/// file. Throws a SearchError where it cannot be loaded. Packages are to be loaded one at a time: torch's loader is not
/// safe.
StepFunction compiled_step(const std::string& path, ScoreKind kind, size_t runners);

/// The state with contiguous tensors, which is what compiled code reads; those that are stay as they are.
DecoderState contiguous(DecoderState state);

}  // namespace seq2seq_kit
