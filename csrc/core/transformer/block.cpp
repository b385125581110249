#include "core/transformer/block.h"

#include <algorithm>

#include "core/kernels/attention.h"
#include "core/team.h"

namespace seq2seq_kit::transformer {
namespace {

using kernels::multiply;

/// Embeddings of the distances from the newest of `count` positions (Shaw et al. 2018), for one head.
class Distances {
 public:
  Distances(const SelfAttention& attention, int64_t count)
      : attention_(&attention), size_(attention.head_size()), count_(count) {
    last_ = static_cast<int64_t>(attention.distance_keys.size()) / size_ - 1;
  }

  /// bias [count] = scale · query [D] · the embedding of each distance, for keys.
  void bias(const float* query, float scale, float* bias) const {
    for (int64_t i = 0; i < count_; ++i) {
      const float* embedding = attention_->distance_keys.data() + row(i) * size_;
      float sum = 0;
      for (int64_t d = 0; d < size_; ++d) sum += query[d] * embedding[d];
      bias[i] = sum * scale;
    }
  }

  /// context [D] += the sum of weight · the embedding of each distance, for values.
  void add(const float* weights, float* context) const {
    for (int64_t i = 0; i < count_; ++i) {
      const float* embedding = attention_->distance_values.data() + row(i) * size_;
      for (int64_t d = 0; d < size_; ++d) context[d] += weights[i] * embedding[d];
    }
  }

 private:
  int64_t row(int64_t i) const { return std::min(count_ - 1 - i, last_); }

  const SelfAttention* attention_;
  int64_t size_, count_, last_;
};

}  // namespace

const float* Block::run(const Step& step, int64_t first, int64_t last) {
  step_ = &step;
  first_ = first;
  rows_ = last - first;
  size_ = step.weights->size();
  room(x_, rows_ * size_);
  embed();
  stream_.begin(x_.data(), rows_, size_, step.weights->pre_norm);
  for (size_t i = 0; i < step.weights->layers.size(); ++i) {
    const Layer& layer = step.weights->layers[i];
    look_back(layer, static_cast<int64_t>(i));
    if (layer.source_attention) look_up(layer, static_cast<int64_t>(i));
    stream_.feed_forward(layer);
  }
  if (step.weights->norm) (*step.weights->norm)(x_.data(), rows_, x_.data());
  if (step.weights->output_scale != 1) {
    for (int64_t i = 0; i < rows_ * size_; ++i) x_[i] *= step.weights->output_scale;
  }
  return x_.data();
}

void Block::embed() {
  const Weights& weights = *step_->weights;
  const std::vector<float>& added = step_->position.added;
  float* x = x_.data();
  for (int64_t row = first_; row < first_ + rows_; ++row, x += size_) {
    const float* embedding = weights.embedding + step_->tokens[row] * size_;
    for (int64_t i = 0; i < size_; ++i) x[i] = embedding[i] * weights.embedding_scale;
    for (size_t i = 0; i < added.size(); ++i) x[i] += added[i];
  }
  if (weights.embedding_norm) (*weights.embedding_norm)(x_.data(), rows_, x_.data());
}

template <typename Work>
void Block::share_out(int64_t count, int64_t multiplications, const Work& work) {
  constexpr int64_t kWorthIt = 1 << 14;
  const int64_t threads = team_size();
  if (static_cast<int64_t>(scratch_.size()) < threads) scratch_.resize(threads);
  if (threads == 1 || multiplications < kWorthIt) return work(scratch_.front(), 0, count);
  together(count, [&](int64_t block, int64_t begin, int64_t end) { work(scratch_[block], begin, end); });
}

void Block::look_back(const Layer& layer, int64_t index) {
  const SelfAttention& attention = layer.self_attention;
  const StepPosition& position = step_->position;
  Past& past = *step_->past;
  const int64_t width = attention.query_key_value.outputs(), head_size = attention.head_size();
  const int64_t context_width = attention.out.inputs(), beams = step_->beams;
  const int64_t groups = attention.groups, heads = attention.heads / groups;  // of a group
  const kernels::Kept kept = step_->weights->kept();
  const int64_t head_words = kernels::words_of(kept, head_size), count = past.length();
  const Distances distances(attention, count);
  const bool by_distance = !attention.distance_keys.empty();

  float* projected = room(wide_, rows_ * width);
  multiply(attention.query_key_value, stream_.enter(layer.self_norm), rows_, size_, projected, width);
  float* contexts = room(context_, rows_ * context_width);
  share_out(rows_ / beams * groups, rows_ * count * context_width, [&](Scratch& scratch, int64_t begin, int64_t end) {
    float* weights = room(scratch.weights, beams * count);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i / groups * beams, group = i % groups;  // rows of a sentence
      // In a cell, the key of a group and, behind it, its value: they are read together.
      const int64_t offset = index * attention.words(kept) + group * 2 * head_words;
      for (int64_t row = first; row < first + beams; ++row) {
        float* const key = projected + row * width + (attention.heads + group) * head_size;
        position.turn(projected + row * width + group * heads * head_size, heads);
        position.turn(key, 1);
        uint32_t* const cell = past.newest(first_ + row) + offset;
        kernels::keep(kept, key, head_size, cell);
        kernels::keep(kept, key + attention.key_size(), head_size, cell + head_words);
      }
      const uint32_t* const keys = past.cells() + offset;
      const int32_t* const places = past.places(first_ + first).data();  // of all rows, one after another
      const kernels::Positions positions{keys, keys + head_words, past.stride(), places, count, kept};
      if (i + groups < end) {  // those of the next sentence lie far away, and are not where the last ones were
        const int32_t* const next = past.places(first_ + first + beams).data();
        kernels::fetch({keys, keys + head_words, past.stride(), next, count, kept}, beams, head_size);
      }
      for (int64_t head = group * heads; head < (group + 1) * heads; ++head) {
        const kernels::Queries queries{
            projected + first * width + head * head_size,        beams,        width, weights,
            contexts + first * context_width + head * head_size, context_width};
        const float* bias = position.bias.empty() ? nullptr : position.bias.data() + head * count;
        if (by_distance) bias = room(scratch.bias, beams * count);
        for (int64_t k = 0; by_distance && k < beams; ++k) {
          distances.bias(queries.queries + k * width, attention.scale, scratch.bias.data() + k * count);
        }
        kernels::attend(queries, head_size, positions, attention.scale, bias, by_distance ? count : 0);
        for (int64_t k = 0; by_distance && k < beams; ++k) {
          distances.add(weights + k * count, queries.contexts + k * context_width);
        }
      }
    }
  });
  stream_.add(attention.out, contexts);
  stream_.leave(layer.self_norm);
}

void Block::look_up(const Layer& layer, int64_t index) {
  const SourceAttention& attention = *layer.source_attention;
  const Source& source = *step_->source;
  const int64_t width = attention.size(), head_size = width / attention.heads, beams = step_->beams;
  const bool reported = step_->attention && index == step_->weights->alignment_layer;

  float* queries = room(wide_, rows_ * width);
  multiply(attention.query, stream_.enter(*layer.source_norm), rows_, size_, queries, width);
  float* contexts = room(context_, rows_ * width);
  // What is reported of a row is a sum over its heads: these stay together.
  const int64_t heads = reported ? attention.heads : 1, pieces = attention.heads / heads;  // of a sentence
  share_out(rows_ / beams * pieces, rows_ * source.width() * width, [&](Scratch& scratch, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i / pieces * beams, first_head = i % pieces * heads;
      const int64_t sentence = step_->sentences[(first_ + first) / beams];
      const auto places = source.positions(sentence);
      const auto count = static_cast<int64_t>(places.size());
      float* weights = room(scratch.weights, beams * count);
      for (int64_t head = first_head; head < first_head + heads; ++head) {
        const int64_t at = first * width + head * head_size;
        kernels::attend({queries + at, beams, width, weights, contexts + at, width}, head_size,
                        source.head(sentence, index, head), attention.scale);
        if (!reported) continue;
        float* attended = step_->attention + (first_ + first) * source.width();
        for (int64_t k = 0; k < beams; ++k, attended += source.width()) {
          for (int64_t j = 0; j < count; ++j) {
            attended[places[j]] += weights[k * count + j] / static_cast<float>(attention.heads);
          }
        }
      }
    }
  });
  stream_.add(attention.out, contexts);
  stream_.leave(*layer.source_norm);
}

}  // namespace seq2seq_kit::transformer
