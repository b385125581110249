#include "core/transformer/decoder.h"

#include <utility>

namespace seq2seq_kit::transformer {

Decoder::Decoder(std::shared_ptr<const Weights> weights, std::shared_ptr<const Source> source)
    : BatchDecoder(weights->output), weights_(std::move(weights)), source_(std::move(source)) {}

void Decoder::begin(int64_t batch) {
  int64_t stride = 0;
  for (const Layer& layer : weights_->layers) stride += layer.self_attention.words(weights_->kept());
  past_.emplace(stride, batch);
}

void Decoder::reorder(std::span<const int64_t> parents) { past_->select(parents); }

void Decoder::run(std::span<const int64_t> tokens, int64_t threads, float* attention, const Finish& finish) {
  const int64_t heads = weights_->layers.front().self_attention.heads;
  StepPosition position = weights_->positions.at(past_->length(), weights_->size(), heads);
  past_->open_step();
  const Step step{weights_.get(), source_.get(), &*past_, std::move(position), tokens, sentences(), beams(), attention};
  run_blocks(blocks_, step, threads, finish);
}

}  // namespace seq2seq_kit::transformer
