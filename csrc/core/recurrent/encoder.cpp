#include "core/recurrent/encoder.h"

#include <algorithm>
#include <numeric>

#include "core/parallel.h"
#include "core/recurrent/cells.h"
#include "core/team.h"

namespace seq2seq_kit::recurrent {
namespace {

using kernels::multiply;

/// Sentences side by side: at each step the next position of all that have one.
class Sentences {
 public:
  explicit Sentences(std::span<const int64_t> lengths) : lengths_(lengths), order_(lengths.size()) {
    std::iota(order_.begin(), order_.end(), 0);
    std::stable_sort(order_.begin(), order_.end(), [&](int64_t a, int64_t b) { return lengths_[a] > lengths_[b]; });
    begins_.resize(lengths.size() + 1);
    std::partial_sum(lengths.begin(), lengths.end(), begins_.begin() + 1);
  }

  int64_t count() const { return static_cast<int64_t>(order_.size()); }
  int64_t positions() const { return begins_.back(); }

  /// By descending length.
  int64_t at(int64_t rank) const { return order_[rank]; }

  /// For each step, the numbers of the positions that are read, longer sentences first.
  std::vector<std::vector<int64_t>> steps(bool backwards) const {
    std::vector<std::vector<int64_t>> steps(count() > 0 ? lengths_[order_.front()] : 0);
    for (const int64_t sentence : order_) {
      for (int64_t i = 0; i < lengths_[sentence]; ++i) {
        steps[i].push_back(begins_[sentence] + (backwards ? lengths_[sentence] - 1 - i : i));
      }
    }
    return steps;
  }

 private:
  std::span<const int64_t> lengths_;
  std::vector<int64_t> order_, begins_;
};

/// One direction of one layer: reads x [positions, inputs], and writes its states, `stride` numbers apart, and the
/// final ones, `final_stride` numbers apart.
void read_through(const Layer& layer, Cell cell, const Sentences& sentences, bool backwards, const float* x,
                  float* states, int64_t stride, const Encoded& final, int64_t final_stride) {
  const int64_t size = layer.recurrent.inputs(), inputs = layer.input.inputs(), width = layer.input.outputs();
  const auto steps = sentences.steps(backwards);
  std::vector<float> read;
  read.reserve(sentences.positions() * inputs);
  for (const auto& step : steps) {
    for (const int64_t position : step) read.insert(read.end(), x + position * inputs, x + (position + 1) * inputs);
  }
  std::vector<float> gates(sentences.positions() * width);
  multiply(layer.input, read.data(), sentences.positions(), inputs, gates.data(), width);

  std::vector<float> h(sentences.count() * size), c(sentences.count() * size), room;
  float* of_x = gates.data();
  for (const auto& step : steps) {
    const auto rows = static_cast<int64_t>(step.size());
    advance(cell, layer.recurrent, of_x, rows, {h.data(), c.data(), size}, {h.data(), c.data(), size}, room);
    for (int64_t row = 0; row < rows; ++row) std::copy_n(h.data() + row * size, size, states + step[row] * stride);
    of_x += rows * width;
  }
  for (int64_t rank = 0; rank < sentences.count(); ++rank) {
    std::copy_n(h.data() + rank * size, size, final.h + sentences.at(rank) * final_stride);
    if (final.c) std::copy_n(c.data() + rank * size, size, final.c + sentences.at(rank) * final_stride);
  }
}

/// The sentences of one thread.
void encode_block(const EncoderWeights& weights, const float* read, std::span<const int64_t> lengths,
                  const Encoded& out) {
  const Sentences sentences(lengths);
  const int64_t count = sentences.positions(), size = weights.size(), direction_size = weights.direction_size();
  const int64_t final_stride = weights.layer_count() * size;
  std::vector<float> x, y;
  if (weights.input) {
    x.resize(count * weights.input->outputs());
    multiply(*weights.input, read, count, weights.input->inputs(), x.data(), weights.input->outputs());
    read = x.data();
  }
  for (int64_t i = 0; i < weights.layer_count(); ++i) {
    const bool last = i + 1 == weights.layer_count();
    if (!last) y.resize(count * size);
    float* states = last ? out.states : y.data();
    for (int64_t direction = 0; direction < weights.directions(); ++direction) {
      const int64_t offset = direction * direction_size, final_offset = i * size + offset;
      const Encoded final{nullptr, out.h + final_offset, out.c ? out.c + final_offset : nullptr};
      read_through(weights.layers[i][direction], weights.cell, sentences, direction == 1, read, states + offset, size,
                   final, final_stride);
    }
    std::swap(x, y);
    read = x.data();
  }
}

}  // namespace

void encode(const EncoderWeights& weights, const float* read, std::span<const int64_t> lengths, int64_t threads,
            const Encoded& out) {
  const auto batch = static_cast<int64_t>(lengths.size());
  std::vector<int64_t> begins(batch + 1);
  std::partial_sum(lengths.begin(), lengths.end(), begins.begin() + 1);
  // Below so many sentences a thread, reading the weights takes longer than the products: each reads a part of them.
  constexpr int64_t kFewSentences = 16;
  const bool few = batch < kFewSentences * threads;
  const Leader leader(few ? threads : 1);
  parallel_for(batch, few ? 1 : threads, [&](int64_t, int64_t first, int64_t last) {
    const int64_t final_offset = first * weights.layer_count() * weights.size();
    encode_block(
        weights, read + begins[first] * weights.input_size(), lengths.subspan(first, last - first),
        {out.states + begins[first] * weights.size(), out.h + final_offset, out.c ? out.c + final_offset : nullptr});
  });
}

}  // namespace seq2seq_kit::recurrent
