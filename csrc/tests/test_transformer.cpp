// The Transformer decoder: what it computes depends on a hypothesis and its source alone, and is bounded by its memory.
#include <cmath>
#include <vector>

#include "check.h"
#include "core/transformer/decoder.h"
#include "decoder_rows.h"
#include "random.h"
#include "seq2seq_kit/errors.h"
#include "tiny_transformer.h"

using namespace seq2seq_kit;
using namespace seq2seq_kit::transformer;
using namespace seq2seq_kit::transformer::testing;
using seq2seq_kit::testing::check_rows;

namespace {

void test_rows_are_what_they_are_alone_wherever_they_are(Precision precision) {
  const auto shared = weights(true, precision);
  const std::vector<int64_t> sentences{4, 1, 2, 3, 7};
  Decoder decoder(shared, source_of(*shared, sentences, 5));
  check_rows(decoder, sentences, 5, kVocab, Random(2),
             [&](int64_t sentence, const std::vector<int64_t>& tokens) { return alone(shared, sentence, tokens); });
}

void test_the_best_tokens_are_those_of_all_logits(Precision precision) {
  const auto shared = weights(true, precision);
  Decoder full(shared, source_of(*shared, {1, 2}, 3)), top(shared, source_of(*shared, {1, 2}, 3));
  full.start(2);
  top.start(2);
  const std::vector<int64_t> tokens{3, 4}, asked{kVocab - 1, 0};
  std::vector<float> logits(2 * kVocab), scores(2 * 4), sums(2), found(2 * 2);
  std::vector<int64_t> best(2 * 4);
  full.step(tokens, 2, logits.data(), nullptr);
  top.step_top(tokens, 2, {4, scores.data(), best.data(), sums.data(), asked, found.data()}, nullptr);
  for (int row = 0; row < 2; ++row) {
    const float* all = logits.data() + row * kVocab;
    double sum = 0;
    for (int64_t i = 0; i < kVocab; ++i) sum += std::exp(all[i]);
    CHECK(std::abs(sums[row] - std::log(sum)) < 1e-5);
    for (int i = 0; i < 4; ++i) {
      CHECK(scores[row * 4 + i] == all[best[row * 4 + i]]);
      CHECK(i == 0 || scores[row * 4 + i - 1] >= scores[row * 4 + i]);
    }
    for (int i = 0; i < 2; ++i) CHECK(found[row * 2 + i] == all[asked[i]]);
  }
}

void test_a_language_model_and_its_last_position() {
  const auto shared = weights(false, Precision::fp32);
  Decoder decoder(shared, nullptr);
  decoder.start(2);
  const std::vector<int64_t> tokens{1, 2}, both{0, 1};
  std::vector<float> logits(2 * kVocab);
  for (int step = 0; step < 6; ++step) {
    decoder.step(tokens, 1, logits.data(), nullptr);
    decoder.select(both, both, 1);
  }
  CHECK(throws<SearchError>([&] { decoder.step(tokens, 1, logits.data(), nullptr); }));
}

void test_a_token_that_there_is_not_is_refused() {
  const auto shared = weights(false, Precision::fp32);
  for (const int64_t token : {int64_t{-1}, kVocab}) {
    Decoder decoder(shared, nullptr);
    decoder.start(1);
    std::vector<float> logits(kVocab);
    CHECK(throws<SearchError>([&] { decoder.step(std::vector<int64_t>{token}, 1, logits.data(), nullptr); }));
  }
}

}  // namespace

int main() {
  for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
    test_rows_are_what_they_are_alone_wherever_they_are(precision);
    test_the_best_tokens_are_those_of_all_logits(precision);
  }
  test_a_language_model_and_its_last_position();
  test_a_token_that_there_is_not_is_refused();
}
