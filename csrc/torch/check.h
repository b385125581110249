// The step contract, checked: what a state or a step's output must look like, and a sentence where it does not.
#pragma once

#include "torch/function_step_model.h"

namespace seq2seq_kit {

/// rows [B, 1, ...], history [B, 1, t, ...] with one t, sentences [B, ...], all on one device.
void check_initial_state(const DecoderState& state, int64_t batch, at::Device device);

/// scores [B, K, V'] of a floating type with V' >= 1; attention [B, K, S'] where there is any.
void check_scores(const StepScores& output, int64_t batch, int64_t beams, at::Device device);

/// The same names, shapes and types as in the state. Sorts `rows` in the state's order.
void check_rows(NamedTensors& rows, const NamedTensors& state);

/// The same names, types and shapes as in the state but for one position [B, K, 1, ...]. Sorts in the state's order.
void check_new_history(NamedTensors& slices, const NamedTensors& state);

}  // namespace seq2seq_kit
