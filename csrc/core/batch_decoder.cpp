#include "core/batch_decoder.h"

#include <numeric>
#include <string>
#include <utility>

#include "core/kernels/multiply.h"
#include "core/team.h"
#include "seq2seq_kit/errors.h"

namespace seq2seq_kit {
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

void BatchDecoder::start(int64_t batch) {
  begin(batch);
  sentences_.resize(batch);
  std::iota(sentences_.begin(), sentences_.end(), 0);
  beams_ = 1;
}

void BatchDecoder::select(std::span<const int64_t> survivors, std::span<const int64_t> rows, int64_t beams) {
  std::vector<int64_t> left;
  for (const int64_t survivor : survivors) left.push_back(sentences_[survivor]);
  sentences_ = std::move(left);
  beams_ = beams;
  reorder(rows);
}

void BatchDecoder::step(std::span<const int64_t> tokens, int64_t threads, float* scores, float* attention) {
  check(tokens);
  share_out(tokens, threads, attention, [&](int64_t first, int64_t last, const float* hidden) {
    kernels::multiply(*output_, hidden, last - first, output_->inputs(), scores + first * vocab(), vocab());
  });
}

void BatchDecoder::step_top(std::span<const int64_t> tokens, int64_t threads, const Top& top, float* attention) {
  check(tokens);
  const auto asked = static_cast<int64_t>(top.asked.size());
  share_out(tokens, threads, attention, [&](int64_t first, int64_t last, const float* hidden) {
    const int64_t at = first * top.count;
    kernels::multiply_top(*output_, hidden, last - first, output_->inputs(), top.count, top.scores + at,
                          top.tokens + at, top.log_sums + first, top.barred);
    for (int64_t i = 0; i < asked; ++i) {
      multiply_one(*output_, top.asked[i], hidden, last - first, top.asked_scores + first * asked + i, asked);
    }
  });
}

void BatchDecoder::check(std::span<const int64_t> tokens) const {
  for (const int64_t token : tokens) {
    if (token >= 0 && token < vocab()) continue;
    throw SearchError("the decoder is fed token " + std::to_string(token) + ": it knows " + std::to_string(vocab()));
  }
}

void BatchDecoder::share_out(std::span<const int64_t> tokens, int64_t threads, float* attention, const Finish& finish) {
  // Below so many rows a thread, reading the weights takes longer than the products: each reads a part of them.
  constexpr int64_t kFewRows = 16;
  if (static_cast<int64_t>(tokens.size()) >= kFewRows * threads) return run(tokens, threads, attention, finish);
  const Leader leader(threads);
  run(tokens, 1, attention, finish);
}

}  // namespace seq2seq_kit
