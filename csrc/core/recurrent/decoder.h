// A recurrent decoder that writes a batch. Torch-free.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/batch_decoder.h"
#include "core/recurrent/block.h"
#include "core/recurrent/source.h"
#include "core/recurrent/state.h"
#include "core/recurrent/weights.h"

namespace seq2seq_kit::recurrent {

class Decoder : public BatchDecoder {
 public:
  /// `source` is null for a language model.
  Decoder(std::shared_ptr<const Weights> weights, std::shared_ptr<const Source> source);

 private:
  void begin(int64_t batch) override;
  void reorder(std::span<const int64_t> parents) override;
  void run(std::span<const int64_t> tokens, int64_t threads, float* attention, const Finish& finish) override;

  std::shared_ptr<const Weights> weights_;
  std::shared_ptr<const Source> source_;
  StateLayout layout_;
  std::optional<State> state_;
  std::vector<Block> blocks_;  // one a thread
};

}  // namespace seq2seq_kit::recurrent
