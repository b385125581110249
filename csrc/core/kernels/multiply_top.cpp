#include <algorithm>
#include <cmath>
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

/// What is known of a row: log(sum(exp)) and the best tokens of the scores seen.
class Top {
 public:
  void start(int64_t count) {
    count_ = count;
    max_ = kNone;
    sum_ = 0;
    best_.clear();
  }

  /// `scores` are those of tokens from `first` on.
  void add(const float* scores, int64_t size, int64_t first, int32_t* found) {
    const bool full = static_cast<int64_t>(best_.size()) == count_;
    const float least = !full ? std::numeric_limits<float>::quiet_NaN() : count_ > 0 ? best_.front().score : kInfinity;
    const Summary summary = KERNEL(summarise)(scores, size, max_, least, found);
    if (summary.max > max_ && max_ != kNone) sum_ *= std::exp(static_cast<double>(max_) - summary.max);
    max_ = summary.max;
    sum_ += summary.sum;
    for (int64_t i = 0; i < summary.found; ++i) offer({scores[found[i]], first + found[i]});
  }

  void finish(float* scores, int64_t* tokens, float* log_sum) {
    std::sort_heap(best_.begin(), best_.end(), better);
    for (const auto& candidate : best_) {
      *scores++ = candidate.score;
      *tokens++ = candidate.token;
    }
    *log_sum = static_cast<float>(std::log(sum_) + (max_ == kNone ? 0 : max_));
  }

 private:
  struct Candidate {
    float score;
    int64_t token;
  };

  static constexpr float kInfinity = std::numeric_limits<float>::infinity();

  static bool better(const Candidate& a, const Candidate& b) {
    return a.score != b.score ? a.score > b.score : a.token < b.token;
  }

  void offer(Candidate candidate) {
    if (std::isnan(candidate.score)) candidate.score = kNone;
    if (static_cast<int64_t>(best_.size()) == count_) {
      if (!better(candidate, best_.front())) return;
      std::pop_heap(best_.begin(), best_.end(), better);
      best_.pop_back();
    }
    best_.push_back(candidate);
    std::push_heap(best_.begin(), best_.end(), better);
  }

  int64_t count_ = 0;
  float max_ = kNone;
  double sum_ = 0;
  std::vector<Candidate> best_;  // a heap, its worst in front
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
