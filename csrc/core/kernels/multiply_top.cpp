#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <span>
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

/// Panels whose scores are summed up by themselves, and by one thread: sums are the same whatever the number of
/// threads.
constexpr int64_t kSegment = 8 * kPanelsTogether;

/// Sum of exp(score - max), or of exp(score) where max is -inf.
struct Mass {
  float max = kNone;
  double sum = 0;
};

/// log(sum(exp)) of all segments.
float log_sum(std::span<const Mass> segments) {
  float max = kNone;
  for (const Mass& mass : segments) max = std::max(max, mass.max);
  double sum = 0;
  for (const Mass& mass : segments) {
    sum += mass.max == kNone ? mass.sum : mass.sum * std::exp(static_cast<double>(mass.max) - max);
  }
  return static_cast<float>(std::log(sum) + (max == kNone ? 0 : max));
}

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

/// The best of the scores of a row that were seen.
class Top {
 public:
  void start(int64_t count) {
    count_ = count;
    best_.clear();
  }

  /// `scores` are those of tokens from `first` on, and become part of `mass`; `found` is room for as many places.
  void add(const float* scores, int64_t size, int64_t first, Mass& mass, int32_t* found) {
    float least = worst();
    const Summary summary = KERNEL(summarise)(scores, size, mass.max, least, found);
    if (summary.max > mass.max && mass.max != kNone) mass.sum *= std::exp(static_cast<double>(mass.max) - summary.max);
    mass.max = summary.max;
    mass.sum += summary.sum;
    for (int64_t i = 0; i < summary.found; ++i) {
      const float score = scores[found[i]];
      if (full() && !(score > least)) continue;
      put(rank(score, first + found[i]));
      least = worst();
    }
  }

  /// The best of other tokens.
  void add(const Top& other) {
    for (const uint64_t rank : other.best_) {
      if (!full() || rank > best_.back()) put(rank);
    }
  }

  void write(float* scores, int64_t* tokens) const {
    for (const uint64_t rank : best_) {
      *scores++ = score_of(rank);
      *tokens++ = token_of(rank);
    }
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
  std::vector<uint64_t> best_;  // descending
};

/// Those of the tokens `barred` that are among `size` from `first` on.
std::span<const int64_t> barred_in(std::span<const int64_t> barred, int64_t first, int64_t size) {
  const auto begin = std::lower_bound(barred.begin(), barred.end(), first);
  return {begin, std::lower_bound(begin, barred.end(), first + size)};
}

/// Makes the scores of these tokens -inf; `scores` are those of tokens from `first` on.
void bar(std::span<const int64_t> tokens, int64_t first, float* scores, Mass& mass) {
  for (const int64_t token : tokens) {
    float& score = scores[token - first];
    if (!(score < -kNone)) mass.sum = std::numeric_limits<double>::quiet_NaN();
    score = kNone;
  }
}

/// What is known of at most `kRowsTogether` rows.
struct Room {
  std::vector<Mass> masses;            // [rows, segments]
  std::vector<std::vector<Top>> tops;  // [threads][rows]
};

}  // namespace

void multiply_top(const PackedMatrix& w, const float* x, int64_t rows, int64_t x_stride, int64_t count, float* scores,
                  int64_t* tokens, float* log_sums, std::span<const int64_t> barred) {
  thread_local Room room_of_thread;
  Room& room = room_of_thread;  // other threads work for this one
  const auto& packed = w.packed();
  const int64_t segments = (packed.panels() + kSegment - 1) / kSegment, threads = team_size();
  if (static_cast<int64_t>(room.tops.size()) < threads) room.tops.resize(threads);
  for (int64_t row = 0; row < rows; row += kRowsTogether) {
    const int64_t together = std::min(kRowsTogether, rows - row);
    room.masses.assign(together * segments, {});
    for (std::vector<Top>& tops : room.tops) {
      tops.resize(kRowsTogether);
      for (int64_t i = 0; i < together; ++i) tops[i].start(count);
    }
    for_panels(segments, kSegment * kPanel * together * packed.inputs, [&](int64_t block, int64_t begin, int64_t end) {
      alignas(64) float products[kRowsOfBlock * kScores];
      const PackedRows inputs = Inputs::of_this_thread().pack(packed, x + row * x_stride, together, x_stride);
      std::vector<Top>& tops = room.tops[block];
      int32_t found[kScores];
      const int64_t stop = std::min(end * kSegment, packed.panels());
      for (int64_t panel = begin * kSegment; panel < stop; panel += kPanelsTogether) {
        const int64_t last = std::min(panel + kPanelsTogether, stop), first = panel * kPanel;
        const int64_t size = std::min(last * kPanel, packed.outputs) - first;
        const int64_t next = together > kRowsOfBlock ? std::min(kPanelsTogether, stop - last) : 0;
        const auto among = barred_in(barred, first, size);
        Ahead ahead(packed.words.get() + last * packed.depth * kPanel, next * packed.depth * kPanel);
        for (int64_t from = 0; from < together; from += kRowsOfBlock) {  // their scores stay in the nearest cache
          const int64_t few = std::min(kRowsOfBlock, together - from);
          multiply_panels(packed, panel, last, inputs.from(from), few, products, kScores, Activation::none, nullptr,
                          &ahead);
          for (int64_t i = 0; i < few; ++i) {
            Mass& mass = room.masses[(from + i) * segments + panel / kSegment];
            bar(among, first, products + i * kScores, mass);
            tops[from + i].add(products + i * kScores, size, first, mass, found);
          }
        }
      }
    });
    for (int64_t i = 0; i < together; ++i) {
      Top& best = room.tops[0][i];
      for (int64_t block = 1; block < threads; ++block) best.add(room.tops[block][i]);
      const int64_t at = row + i;
      best.write(scores + at * count, tokens + at * count);
      log_sums[at] = log_sum({room.masses.data() + i * segments, static_cast<size_t>(segments)});
    }
  }
}

}  // namespace seq2seq_kit::kernels
