#include "core/real_positions.h"

namespace seq2seq_kit {

RealPositions::RealPositions(std::span<const bool> real, int64_t batch)
    : width_(batch == 0 ? 0 : static_cast<int64_t>(real.size()) / batch), begins_{0} {
  for (int64_t sentence = 0; sentence < batch; ++sentence) {
    for (int64_t position = 0; position < width_; ++position) {
      if (real[sentence * width_ + position]) positions_.push_back(static_cast<int32_t>(position));
    }
    begins_.push_back(static_cast<int64_t>(positions_.size()));
  }
}

std::vector<float> RealPositions::gather(const float* states, int64_t size) const {
  std::vector<float> kept;
  kept.reserve(count() * size);
  for (int64_t sentence = 0; sentence < batch(); ++sentence) {
    for (const int32_t position : of(sentence)) {
      const float* row = states + (sentence * width_ + position) * size;
      kept.insert(kept.end(), row, row + size);
    }
  }
  return kept;
}

}  // namespace seq2seq_kit
