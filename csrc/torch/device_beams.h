// The live hypotheses of a batch in tensors on one device: what `KitBeam` decides of the next step, and no more.
#pragma once

#include <vector>

#include "seq2seq_kit/search_options.h"
#include "seq2seq_kit/sentence_input.h"
#include "torch/device_choice.h"

namespace seq2seq_kit {

/// Greedy and beam search by the rules of `semantics="kit"`, without its stop rules: a sentence that is done goes on
/// until nothing is left of it. All tensors keep their shapes and places, and nothing waits for the device.
class DeviceBeams {
 public:
  DeviceBeams(const SearchOptions& options, const std::vector<SentenceInput>& sentences, at::Device device);

  /// What the next step is fed: [B, width] int64, and [B] int64.
  at::Tensor tokens(int64_t width) const { return tokens_.narrow(1, 0, width).contiguous(); }
  const at::Tensor& position() const { return position_; }

  /// Chooses from the scores of the first `width` slots, [B, width, V], and returns what was chosen, best first.
  DeviceChoice advance(const StepScores& step);

  /// The slot of the last step [B, K] that each slot continues; one without a hypothesis repeats its sentence's first.
  const at::Tensor& parents() const { return parents_; }

  /// Once nobody reads the last step any more, whose state may hold what it was fed: writes what the next one is fed.
  void feed();

 private:
  const SearchOptions* options_;
  int64_t batch_, beams_;
  at::Tensor tokens_;            // [B, K] int64
  at::Tensor chosen_, parents_;  // [B, K] int64: of the step that was chosen from last
  at::Tensor sums_;              // [B, K] float32: -inf in slots without a hypothesis
  at::Tensor found_;             // [B] int64: how many have finished
  at::Tensor position_;          // [B] int64
  at::Tensor least_, limit_;     // [B] int64: tokens before EOS is allowed, and after which nothing else is
  at::Tensor slots_;             // [1, K] int64: 0, 1, …
  at::Tensor eos_;               // [V] bool, known from the first step on
};

}  // namespace seq2seq_kit
