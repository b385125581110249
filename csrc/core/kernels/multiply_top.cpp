#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "core/kernels/multiply.h"

namespace seq2seq_kit::kernels {
namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();

/// What some scores of a row come to.
struct Summary {
  float max;      // of these and of those before
  double sum;     // of exp(score - max), or of exp(score) where max is -inf
  int64_t found;  // scores above the least that is wanted
};

}  // namespace
}  // namespace seq2seq_kit::kernels

#define KERNEL_FILE "core/kernels/multiply_top.inl"
#include "core/kernels/for_each_isa.inl"

namespace seq2seq_kit::kernels {
namespace {

constexpr int64_t kPanelsTogether = 4;
constexpr int64_t kScores = kPanelsTogether * kPanel;  // of a row at a time

/// A score and its token in one number, the greater the better: equal scores, by the lower token. NaN is -inf.
uint64_t rank(float score, int64_t token) {
  const auto bits = std::bit_cast<uint32_t>(std::isnan(score) ? kNone : score + 0.0f);  // -0 is 0
  const uint32_t ordered = bits ^ (static_cast<uint32_t>(-static_cast<int32_t>(bits >> 31)) | 0x80000000u);
  return static_cast<uint64_t>(ordered) << 32 | ~static_cast<uint32_t>(token);
}

float score_of(uint64_t rank) {
  const auto ordered = static_cast<uint32_t>(rank >> 32);
  return std::bit_cast<float>(ordered >> 31 ? ordered & 0x7fffffffu : ~ordered);
}

int64_t token_of(uint64_t rank) { return ~static_cast<uint32_t>(rank); }

/// What is known of a row: log(sum(exp)) and the best of the scores seen.
class Top {
 public:
  void start(int64_t count) {
    count_ = count;
    max_ = kNone;
    sum_ = 0;
    best_.clear();
  }

  /// `scores` are those of tokens from `first` on; `found` is room for as many places.
  void add(const float* scores, int64_t size, int64_t first, int32_t* found) {
    float least = worst();
    const Summary summary = KERNEL(summarise)(scores, size, max_, least, found);
    if (summary.max > max_ && max_ != kNone) sum_ *= std::exp(static_cast<double>(max_) - summary.max);
    max_ = summary.max;
    sum_ += summary.sum;
    for (int64_t i = 0; i < summary.found; ++i) {
      const float score = scores[found[i]];
      if (full() && !(score > least)) continue;
      put(rank(score, first + found[i]));
      least = worst();
    }
  }

  void finish(float* scores, int64_t* tokens, float* log_sum) {
    for (const uint64_t rank : best_) {
      *scores++ = score_of(rank);
      *tokens++ = token_of(rank);
    }
    *log_sum = static_cast<float>(std::log(sum_) + (max_ == kNone ? 0 : max_));
  }

 private:
  bool full() const { return static_cast<int64_t>(best_.size()) == count_; }

  /// A score must be greater to be among the best: tokens come in ascending order. NaN while any may.
  float worst() const {
    if (!full()) return std::numeric_limits<float>::quiet_NaN();
    return count_ > 0 ? score_of(best_.back()) : std::numeric_limits<float>::infinity();
  }

  void put(uint64_t rank) {
    if (full()) best_.pop_back();
    best_.insert(std::upper_bound(best_.begin(), best_.end(), rank, std::greater()), rank);
  }

  int64_t count_ = 0;
  float max_ = kNone;
  double sum_ = 0;
  std::vector<uint64_t> best_;  // descending
};

struct Room {
  AlignedArray<float> scores{kRowsTogether * kScores};
  std::vector<Top> tops{kRowsTogether};
};

}  // namespace

void multiply_top(const PackedMatrix& w, const float* x, int64_t rows, int64_t x_stride, int64_t count, float* scores,
                  int64_t* tokens, float* log_sums) {
  thread_local Room room;
  const auto& packed = w.packed();
  int32_t found[kScores];
  for (int64_t row = 0; row < rows; row += kRowsTogether) {
    const int64_t together = std::min(kRowsTogether, rows - row);
    const PackedRows inputs = Inputs::of_this_thread().pack(packed, x + row * x_stride, together, x_stride);
    for (int64_t i = 0; i < together; ++i) room.tops[i].start(count);
    for (int64_t panel = 0; panel < packed.panels(); panel += kPanelsTogether) {
      const int64_t last = std::min(panel + kPanelsTogether, packed.panels()), first = panel * kPanel;
      const int64_t size = std::min(last * kPanel, packed.outputs) - first;
      multiply_panels(packed, panel, last, inputs, together, room.scores.data(), kScores, Activation::none, nullptr);
      for (int64_t i = 0; i < together; ++i) room.tops[i].add(room.scores.data() + i * kScores, size, first, found);
    }
    for (int64_t i = 0; i < together; ++i) {
      const int64_t at = row + i;
      room.tops[i].finish(scores + at * count, tokens + at * count, log_sums + at);
    }
  }
}

}  // namespace seq2seq_kit::kernels
