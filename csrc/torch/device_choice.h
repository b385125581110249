// The best candidates of a batch's sentences, chosen by ATen on the device that the scores are on.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "core/candidate.h"
#include "core/sentence_scores.h"
#include "seq2seq_kit/step_model.h"

namespace seq2seq_kit {

/// Of each sentence the C best candidates, best first; ties go to the lower place, which is slot * V + token.
struct DeviceChoice {
  at::Tensor sums;       // [B, C] float32; -inf where there are no more candidates
  at::Tensor log_probs;  // [B, C] float32: the token's own
  at::Tensor places;     // [B, C] int64
  at::Tensor faults;     // [B] int64: the RowFault of a live row

  /// [B, 3 C + 1] int64: all of it, to cross to the host at once.
  at::Tensor pack() const;
};

/// Chooses among the continuations of the live slots, those with a sum above -inf. Nothing waits for the device.
/// `sums` [B, K] float32, `forbidden` bool, broadcastable to [B, K, V]; `count` is C, or less where there are fewer;
/// `normalise`: the log-softmax of the scores is taken, as of logits it must be.
DeviceChoice choose(const StepScores& step, const at::Tensor& sums, const at::Tensor& forbidden, int64_t count,
                    bool normalise);

/// Where EOS may not come (`bars_eos` [B] bool) or nothing else (`bars_others` [B] bool), for `eos` [V] bool:
/// [B, 1, V] bool.
at::Tensor forbidden_tokens(const at::Tensor& bars_eos, const at::Tensor& bars_others, const at::Tensor& eos);

/// [V] bool, true at the tokens of `ids`.
at::Tensor marks(const std::vector<int64_t>& ids, int64_t vocab, at::Device device);

/// What `DeviceChoice::pack` made, read on the host.
class PackedChoice {
 public:
  /// `packed` [B, 3 C + 1] on the CPU.
  PackedChoice(const at::Tensor& packed, int64_t vocab);

  RowFault fault(int64_t sentence) const;

  /// The sentence's best candidates, at most `wanted`.
  std::vector<Candidate> candidates(int64_t sentence, int64_t wanted) const;

 private:
  const int64_t* row(int64_t sentence) const { return data_ + sentence * (3 * count_ + 1); }

  at::Tensor packed_;
  const int64_t* data_;
  int64_t count_, vocab_;
};

}  // namespace seq2seq_kit
