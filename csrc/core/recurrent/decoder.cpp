#include "core/recurrent/decoder.h"

#include <utility>

namespace seq2seq_kit::recurrent {

Decoder::Decoder(std::shared_ptr<const Weights> weights, std::shared_ptr<const Source> source)
    : BatchDecoder(weights->output), weights_(std::move(weights)), source_(std::move(source)), layout_(*weights_) {}

void Decoder::begin(int64_t batch) {
  state_.emplace(source_ ? source_->start() : std::vector<float>(batch * layout_.stride), layout_.stride);
}

void Decoder::reorder(std::span<const int64_t> parents) { state_->select(parents); }

void Decoder::run(std::span<const int64_t> tokens, int64_t threads, float* attention, const Finish& finish) {
  state_->open_step();
  const Step step{weights_.get(), source_.get(), layout_, &*state_, tokens, sentences(), beams(), attention};
  run_blocks(blocks_, step, threads, finish);
  state_->close_step();
}

}  // namespace seq2seq_kit::recurrent
