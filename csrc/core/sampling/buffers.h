#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace seq2seq_kit {

/// What sampling writes to, kept between steps and sentences.
struct SampleBuffers {
  std::vector<float> scores;                       // [slots, V]
  std::vector<float> maxima;                       // [slots, blocks]
  std::vector<int64_t> sums;                       // [slots, blocks]: weights
  std::vector<int32_t> weights;                    // [V] of one row
  std::vector<float> values;                       // the greatest scores of one row
  std::vector<int64_t> bins;                       // for top-p and typical: weights by distance
  std::vector<std::pair<float, int32_t>> nearest;  // (distance, weight) of one bin
};

}  // namespace seq2seq_kit
