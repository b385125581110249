#include "core/transformer/encoder.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "core/kernels/attention.h"
#include "core/kernels/sentence_attention.h"
#include "core/team.h"
#include "core/transformer/stream.h"

namespace seq2seq_kit::transformer {
namespace {

using kernels::multiply;
using kernels::Vectors;

/// Rows that a thread takes from one attention to the next at a time: what lies between the products stays in a cache.
constexpr int64_t kRows = 96;

/// Self-attention of one sentence and one group of heads. Keeps its buffers.
class GroupAttention {
 public:
  /// `projected` [length, (heads + 2 groups) D], `contexts` [length, heads D]; `positions` of at least `length`.
  void run(const SelfAttention& attention, const AllPositions& positions, int64_t group, int64_t length,
           const float* projected, float* contexts) {
    const int64_t heads = attention.heads / attention.groups, first = group * heads, size = attention.head_size();
    const int64_t width = attention.query_key_value.outputs(), context_width = attention.out.inputs();
    const float* keys = projected + (attention.heads + group) * size;
    const float* values = keys + attention.key_size();
    if (attention.distance_keys.empty()) {
      // The biases of a query are those of the query before it, moved by one key.
      const float* bias =
          positions.bias.empty() ? nullptr : positions.bias.data() + first * positions.line() + positions.line() / 2;
      const kernels::AttentionShape shape{heads, length, length,           size, attention.scale,
                                          false, bias,   positions.line(), -1};
      kernels::attend(shape, Vectors<const float>{projected + first * size, width, size},
                      Vectors<const float>{keys, width, 0}, Vectors<const float>{values, width, 0},
                      Vectors<float>{contexts + first * size, context_width, size}, room(norms_, heads * length),
                      room(scratch_, kernels::attention_scratch(shape)));
      return;
    }
    for (int64_t head = first; head < first + heads; ++head) {
      for (int64_t row = 0; row < length; ++row) {
        by_distance(attention, row, projected + row * width + head * size, {keys, values, width, nullptr, length},
                    contexts + row * context_width + head * size);
      }
    }
  }

 private:
  /// One query, with an embedding of the distance for each key and each value (Shaw et al. 2018).
  void by_distance(const SelfAttention& attention, int64_t row, const float* query, const kernels::Positions& positions,
                   float* context) {
    const int64_t size = attention.head_size(), count = positions.count;
    const int64_t last = static_cast<int64_t>(attention.distance_keys.size()) / size / 2;
    const auto begin = [&](int64_t key) { return (std::clamp(key - row, -last, last) + last) * size; };
    float* bias = room(scratch_, 2 * count);
    float* weights = bias + count;
    for (int64_t key = 0; key < count; ++key) {
      const float* embedding = attention.distance_keys.data() + begin(key);
      float sum = 0;
      for (int64_t i = 0; i < size; ++i) sum += query[i] * embedding[i];
      bias[key] = sum * attention.scale;
    }
    kernels::attend({query, 1, 0, weights, context, 0}, size, positions, attention.scale, bias);
    for (int64_t key = 0; key < count; ++key) {
      const float* embedding = attention.distance_values.data() + begin(key);
      for (int64_t i = 0; i < size; ++i) context[i] += weights[key] * embedding[i];
    }
  }

  std::vector<float> norms_, scratch_;
};

/// What a thread works with.
struct Worker {
  Stream stream;
  GroupAttention attention;
};

/// One call of `encode`, by the team that the thread leads.
class Encoding {
 public:
  Encoding(const EncoderWeights& weights, std::span<const int64_t> lengths, float* states)
      : weights_(&weights),
        attention_(&weights.layers.front().self_attention),
        size_(weights.size()),
        width_(attention_->query_key_value.outputs()),
        context_width_(attention_->out.inputs()),
        x_(states),
        workers_(team_size()) {
    for (const int64_t length : lengths) {
      if (length > 0) sentences_.push_back({static_cast<int64_t>(places_.size()), length});
      for (int64_t place = 0; place < length; ++place) places_.push_back(place);
    }
    projected_ = std::make_unique_for_overwrite<float[]>(places_.size() * width_);
    contexts_ = std::make_unique_for_overwrite<float[]>(places_.size() * context_width_);
    const int64_t longest = lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end());
    positions_ = weights.positions.all(longest, size_, attention_->heads);
  }

  void run(const float* read) {
    const std::vector<Layer>& layers = weights_->layers;
    for_rows([&](Stream& stream, int64_t first) {
      embed(read + first * weights_->input_size(), first, stream.rows());
      project(layers.front(), stream, first);
    });
    for (size_t i = 0; i < layers.size(); ++i) {
      attend(layers[i].self_attention);
      for_rows([&](Stream& stream, int64_t first) {
        stream.add(layers[i].self_attention.out, contexts_.get() + first * context_width_);
        stream.leave(layers[i].self_norm);
        stream.feed_forward(layers[i]);
        if (i + 1 < layers.size()) {
          project(layers[i + 1], stream, first);
        } else if (weights_->norm) {
          float* x = x_ + first * size_;
          (*weights_->norm)(x, stream.rows(), x);
        }
      });
    }
  }

 private:
  struct Sentence {
    int64_t first, length;  // rows
  };

  /// Calls `work` with all rows, some at a time, and the first of these.
  void for_rows(const std::function<void(Stream& stream, int64_t first)>& work) {
    together(rows(), [&](int64_t block, int64_t begin, int64_t end) {
      Stream& stream = workers_[block].stream;
      for (int64_t first = begin; first < end; first += kRows) {
        stream.begin(x_ + first * size_, std::min(kRows, end - first), size_, weights_->pre_norm);
        work(stream, first);
      }
    });
  }

  void embed(const float* read, int64_t first, int64_t count) {
    float* x = x_ + first * size_;
    if (weights_->input) {
      multiply(*weights_->input, read, count, weights_->input_size(), x, size_);
    } else {
      std::copy_n(read, count * size_, x);
    }
    if (!positions_.added.empty()) {
      for (int64_t row = 0; row < count; ++row) {
        const float* added = positions_.added.data() + places_[first + row] * size_;
        for (int64_t i = 0; i < size_; ++i) x[row * size_ + i] += added[i];
      }
    }
    if (weights_->embedding_norm) (*weights_->embedding_norm)(x, count, x);
  }

  /// Queries, keys and values, turned to their positions.
  void project(const Layer& layer, Stream& stream, int64_t first) {
    const SelfAttention& attention = layer.self_attention;
    float* projected = projected_.get() + first * width_;
    multiply(attention.query_key_value, stream.enter(layer.self_norm), stream.rows(), size_, projected, width_);
    if (positions_.turns.empty()) return;
    for (int64_t row = 0; row < stream.rows(); ++row) {
      positions_.turns[places_[first + row]](projected + row * width_, attention.heads + attention.groups);
    }
  }

  void attend(const SelfAttention& attention) {
    const auto count = static_cast<int64_t>(sentences_.size()) * attention.groups;
    together(count, [&](int64_t block, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const Sentence& sentence = sentences_[i / attention.groups];
        workers_[block].attention.run(attention, positions_, i % attention.groups, sentence.length,
                                      projected_.get() + sentence.first * width_,
                                      contexts_.get() + sentence.first * context_width_);
      }
    });
  }

  int64_t rows() const { return static_cast<int64_t>(places_.size()); }

  const EncoderWeights* weights_;
  const SelfAttention* attention_;  // the sizes of all layers
  int64_t size_, width_, context_width_;
  float* x_;                         // [N, H]
  std::vector<Worker> workers_;      // one a thread
  std::vector<Sentence> sentences_;  // those that have a position
  std::vector<int64_t> places_;      // [N]: each row's position in its sentence
  AllPositions positions_;
  std::unique_ptr<float[]> projected_;  // [N, (heads + 2 groups) D]
  std::unique_ptr<float[]> contexts_;   // [N, heads D]
};

}  // namespace

void encode(const EncoderWeights& weights, const float* read, std::span<const int64_t> lengths, int64_t threads,
            float* states) {
  const Leader leader(threads);
  Encoding(weights, lengths, states).run(read);
}

}  // namespace seq2seq_kit::transformer
