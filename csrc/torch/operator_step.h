// A decoder's step that a compiled package has registered with torch as an operator.
#pragma once

#include <string>
#include <vector>

#include "torch/function_step_model.h"

namespace seq2seq_kit {

/// The operator `name` ("namespace::operator", or "namespace::operator.overload") as a step function. It has the form
///
///     (Tensor tokens, Tensor position, Tensor[] rows, Tensor[] history, Tensor[] sentences, Tensor[] params)
///         -> (Tensor scores, Tensor[] rows, Tensor[] new_history, Tensor attention)
///
/// with the state's tensors in the state's order, and for `attention` an empty tensor (or none, of a `Tensor?`) where
/// the step gives none. Throws a SearchError where torch has no such operator, or one of another form.
StepFunction operator_step(const std::string& name, ScoreKind kind, const std::vector<at::Tensor>& params);

}  // namespace seq2seq_kit
