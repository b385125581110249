// A state of named tensors that follows hypotheses and sentences.
#pragma once

#include "seq2seq_kit/step_model.h"
#include "torch/tensors.h"

namespace seq2seq_kit {

/// A decoder's or a processor's state as Python sees it (`seq2seq_kit.interfaces.DecoderState`).
struct DecoderState {
  NamedTensors rows;       // [B, K, ...]
  NamedTensors history;    // [B, K, t, ...]
  NamedTensors sentences;  // [B, ...]
  bool padded = false;     // history has padding behind its positions
};

/// The device of a state's tensors; the CPU for one without tensors.
at::Device device_of(const DecoderState& state);

/// Reorders, widens and shrinks `rows` and `sentences` of a batch of `batch` sentences and `beams` slots. History is
/// another class's.
void select(DecoderState& state, const Selection& selection, int64_t batch, int64_t beams);

}  // namespace seq2seq_kit
