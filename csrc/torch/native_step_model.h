#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/batch_decoder.h"
#include "seq2seq_kit/top_step_model.h"

namespace seq2seq_kit {

/// One of our own decoders as the search drives it: without Python, and without torch's operations.
class NativeStepModel : public TopStepModel {
 public:
  /// `batch`: the sentences of the memory; none for a language model. `width`: S' where the attention is wanted.
  NativeStepModel(std::unique_ptr<BatchDecoder> decoder, std::optional<int64_t> batch, std::optional<int64_t> width);

  void init(int64_t batch, int64_t max_beams) override;
  StepScores step(const at::Tensor& tokens, const at::Tensor& position) override;
  TopScores step_top(const at::Tensor& tokens, const at::Tensor& position, const TopRequest& request) override;
  void select(const Selection& selection) override;
  int64_t vocab() const override { return decoder_->vocab(); }
  at::Device device() const override { return at::kCPU; }

 private:
  /// Zeros [B, K, S']; undefined where no attention is wanted.
  at::Tensor no_attention(const at::Tensor& tokens) const;

  std::unique_ptr<BatchDecoder> decoder_;
  std::optional<int64_t> batch_, width_;
  int64_t beams_ = 1;
  at::Tensor scores_;  // room for those of a step, taken again where nobody has kept them
};

}  // namespace seq2seq_kit
