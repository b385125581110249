#include "core/transformer/decoder.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/kernels/multiply.h"
#include "core/parallel.h"

namespace seq2seq_kit::transformer {
namespace {

/// One output of x [rows, inputs], into every `stride`-th number of `out`: the panel that it lies in is multiplied.
void multiply_one(const kernels::PackedMatrix& matrix, int64_t output, const float* x, int64_t rows, float* out,
                  int64_t stride) {
  const auto& packed = matrix.packed();
  const int64_t panel = output / kernels::kPanel;
  float products[kernels::kPanel];
  for (int64_t row = 0; row < rows; ++row, x += matrix.inputs(), out += stride) {
    const kernels::PackedRows inputs = kernels::Inputs::of_this_thread().pack(packed, x, 1, matrix.inputs());
    kernels::multiply_panels(packed, panel, panel + 1, inputs, 1, products, kernels::kPanel, kernels::Activation::none,
                             nullptr);
    *out = products[output % kernels::kPanel];
  }
}

}  // namespace

Decoder::Decoder(std::shared_ptr<const Weights> weights, std::shared_ptr<const Source> source)
    : weights_(std::move(weights)), source_(std::move(source)) {}

void Decoder::start(int64_t batch) {
  int64_t stride = 0;
  for (const Layer& layer : weights_->layers) stride += 2 * layer.self_attention.key_size();
  past_.emplace(stride, batch);
  sentences_.resize(batch);
  std::iota(sentences_.begin(), sentences_.end(), 0);
  beams_ = 1;
}

void Decoder::step(std::span<const int64_t> tokens, int64_t threads, float* scores, float* attention) {
  const int64_t size = weights_->size(), vocab = weights_->vocab();
  run(tokens, threads, attention, [&](int64_t first, int64_t last, const float* hidden) {
    kernels::multiply(weights_->output, hidden, last - first, size, scores + first * vocab, vocab);
  });
}

void Decoder::step_top(std::span<const int64_t> tokens, int64_t threads, const Top& top, float* attention) {
  const int64_t size = weights_->size();
  const auto asked = static_cast<int64_t>(top.asked.size());
  run(tokens, threads, attention, [&](int64_t first, int64_t last, const float* hidden) {
    const int64_t at = first * top.count;
    kernels::multiply_top(weights_->output, hidden, last - first, size, top.count, top.scores + at, top.tokens + at,
                          top.log_sums + first);
    for (int64_t i = 0; i < asked; ++i) {
      multiply_one(weights_->output, top.asked[i], hidden, last - first, top.asked_scores + first * asked + i, asked);
    }
  });
}

void Decoder::select(std::span<const int64_t> survivors, std::span<const int64_t> rows, int64_t beams) {
  std::vector<int64_t> left;
  for (const int64_t survivor : survivors) left.push_back(sentences_[survivor]);
  sentences_ = std::move(left);
  past_->select(rows);
  beams_ = beams;
}

void Decoder::run(std::span<const int64_t> tokens, int64_t threads, float* attention, const Finish& finish) {
  const int64_t heads = weights_->layers.front().self_attention.heads;
  StepPosition position = weights_->positions.at(past_->length(), weights_->size(), heads);
  past_->open_step();
  const Step step{weights_.get(), source_.get(), &*past_, std::move(position), tokens, sentences_, beams_, attention};
  const auto batch = static_cast<int64_t>(sentences_.size());
  const int64_t blocks = std::clamp<int64_t>(threads, 1, batch);
  if (static_cast<int64_t>(blocks_.size()) < blocks) blocks_.resize(blocks);
  parallel_for(batch, blocks, [&](int64_t block, int64_t begin, int64_t end) {
    const int64_t first = begin * beams_, last = end * beams_;
    finish(first, last, blocks_[block].run(step, first, last));
  });
}

}  // namespace seq2seq_kit::transformer
