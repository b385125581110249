#include "core/transformer/decoder.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/parallel.h"

namespace seq2seq_kit::transformer {

Decoder::Decoder(std::shared_ptr<const Weights> weights, std::shared_ptr<const Source> source)
    : BatchDecoder(weights->output), weights_(std::move(weights)), source_(std::move(source)) {}

void Decoder::start(int64_t batch) {
  int64_t stride = 0;
  for (const Layer& layer : weights_->layers) stride += layer.self_attention.words(weights_->kept());
  past_.emplace(stride, batch);
  sentences_.resize(batch);
  std::iota(sentences_.begin(), sentences_.end(), 0);
  beams_ = 1;
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
  const int64_t blocks = std::max<int64_t>(1, std::min(threads, batch));
  if (static_cast<int64_t>(blocks_.size()) < blocks) blocks_.resize(blocks);
  parallel_for(batch, blocks, [&](int64_t block, int64_t begin, int64_t end) {
    const int64_t first = begin * beams_, last = end * beams_;
    finish(first, last, blocks_[block].run(step, first, last));
  });
}

}  // namespace seq2seq_kit::transformer
