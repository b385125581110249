// The kernels of training against plain double arithmetic, on every instruction set, in memory of exactly the size that
// they are promised. Gradients are checked more closely, and at full size, from Python.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "check.h"
#include "core/kernels/isa.h"
#include "core/kernels/sentence_attention.h"
#include "core/kernels/training/cross_entropy.h"
#include "core/kernels/training/residual.h"
#include "random.h"

using namespace seq2seq_kit;
using kernels::Bfloat16;
using kernels::Isa;

namespace {

Random draw(1);

bool near(double found, double wanted, double tolerance) {
  return std::abs(found - wanted) <= tolerance * std::max(1.0, std::abs(wanted));
}

std::vector<float> small_row(int64_t size) {
  auto row = draw.row(size, false, 0);
  for (float& x : row) x /= 4;
  return row;
}

Bfloat16 rounded(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return {static_cast<uint16_t>(bits >> 16)};
}

float widened(Bfloat16 x) {
  const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
  float wide;
  std::memcpy(&wide, &bits, sizeof wide);
  return wide;
}

void test_cross_entropy() {
  for (const int64_t size : {1, 2, 15, 16, 17, 63, 1000, 2049}) {
    const auto label = draw.uniform(0, size - 1);
    auto scores = draw.row(size, false, 0);
    std::vector<Bfloat16> narrow(size);
    for (int64_t i = 0; i < size; ++i) {
      narrow[i] = rounded(scores[i]);
      scores[i] = widened(narrow[i]);
    }
    const float on_label = 0.9f, others = size > 1 ? 0.1f / static_cast<float>(size - 1) : 0.0f;
    double mass = 0, total = 0;
    for (const float x : scores) {
      mass += std::exp(static_cast<double>(x));
      total += x;
    }
    const double norm = std::log(mass), nll = norm - scores[label];
    const double loss = (on_label - others) * nll + others * (norm * static_cast<double>(size) - total);
    std::vector<float> gradient(size), scratch(size);
    std::vector<Bfloat16> narrow_gradient(size);
    const auto found =
        kernels::cross_entropy(scores.data(), size, label, on_label, others, gradient.data(), gradient.data());
    const auto rough =
        kernels::cross_entropy(narrow.data(), size, label, on_label, others, scratch.data(), narrow_gradient.data());
    CHECK(near(found.loss, loss, 1e-5) && near(rough.loss, loss, 1e-5));
    CHECK(near(found.nll, nll, 1e-5) && near(rough.nll, nll, 1e-5));
    const bool best = scores[label] == *std::max_element(scores.begin(), scores.end());
    CHECK(found.correct == best && rough.correct == best);
    for (int64_t i = 0; i < size; ++i) {
      const double wanted = std::exp(scores[i] - norm) - (i == label ? on_label : others);
      CHECK(near(gradient[i], wanted, 1e-6) && near(widened(narrow_gradient[i]), wanted, 4e-3));
    }
  }
}

void test_attention() {
  for (const int64_t size : {1, 8, 17, 48}) {
    for (const int64_t queries : {1, 5, 35}) {
      for (const bool causal : {false, true}) {
        const int64_t keys = draw.uniform(1, 40);
        kernels::AttentionShape shape{1, queries, keys, size, 0.3f, causal, nullptr, 0, 0};
        const auto q = small_row(queries * size), k = small_row(keys * size), v = small_row(keys * size);
        std::vector<float> contexts(queries * size), norms(queries), scratch(kernels::attention_scratch(shape));
        const auto at = [&](const std::vector<float>& x) { return kernels::Vectors<const float>{x.data(), size, 0}; };
        kernels::attend(shape, at(q), at(k), at(v), {contexts.data(), size, 0}, norms.data(), scratch.data());
        for (int64_t i = 0; i < queries; ++i) {
          std::vector<double> weights(causal ? std::min(keys, i + 1) : keys);
          double mass = 0;
          for (size_t j = 0; j < weights.size(); ++j) {
            double score = 0;
            for (int64_t d = 0; d < size; ++d) score += static_cast<double>(q[i * size + d]) * k[j * size + d];
            mass += weights[j] = std::exp(0.3 * score);
          }
          CHECK(near(norms[i], std::log(mass), 1e-5));
          for (int64_t d = 0; d < size; ++d) {
            double context = 0;
            for (size_t j = 0; j < weights.size(); ++j) context += weights[j] / mass * v[j * size + d];
            CHECK(near(contexts[i * size + d], context, 1e-5));
          }
        }
        // The gradient of the sum of all contexts: along each input it is what a small step makes of the sum.
        const std::vector<float> slope(queries * size, 1.0f);
        std::vector<float> d_q(queries * size), d_k(keys * size), d_v(keys * size);
        kernels::attend_backward(shape, at(q), at(k), at(v), norms.data(),
                                 {at(slope), {d_q.data(), size, 0}, {d_k.data(), size, 0}, {d_v.data(), size, 0}},
                                 scratch.data());
        double of_values = 0;  // the weights of each query add up to 1, and so do these
        for (const float x : d_v) of_values += x;
        CHECK(near(of_values, static_cast<double>(queries * size), 1e-4));
      }
    }
  }
}

void test_residual() {
  for (const int64_t size : {1, 7, 16, 33, 256}) {
    const auto x = small_row(size), y = small_row(size), weight = small_row(size), bias = small_row(size);
    std::vector<float> sums(size), out(size), moments(2);
    kernels::ResidualShape shape{size,          kernels::Norm::layer, 1e-5f,
                                 weight.data(), bias.data(),          {7, 1u << 30, 4 / 3.0f}};
    kernels::residual(shape, 3,
                      kernels::ResidualRow<float, float>{x.data(), y.data(), sums.data(), out.data(), moments.data()});
    double mean = 0, variance = 0;
    for (const float s : sums) mean += s / static_cast<double>(size);
    for (const float s : sums) variance += (s - mean) * (s - mean) / static_cast<double>(size);
    for (int64_t i = 0; i < size; ++i) {
      CHECK(sums[i] == x[i] || near(sums[i], x[i] + y[i] * 4 / 3.0, 1e-6));
      CHECK(near(out[i], (sums[i] - mean) / std::sqrt(variance + 1e-5) * weight[i] + bias[i], 1e-4));
    }
    // What was dropped on the way is dropped on the way back.
    shape.norm = kernels::Norm::none;
    const std::vector<float> slope(size, 3.0f);
    std::vector<float> d_y(size);
    kernels::residual_backward(
        shape, 3,
        kernels::ResidualSlopes<float, float>{slope.data(), nullptr, nullptr, nullptr, d_y.data(), nullptr, nullptr});
    for (int64_t i = 0; i < size; ++i) CHECK(d_y[i] == (sums[i] == x[i] ? 0.0f : 4.0f));
  }
}

}  // namespace

int main() {
  for (int isa = 0; isa <= static_cast<int>(kernels::best_isa()); ++isa) {
    kernels::use_isa(static_cast<Isa>(isa));
    test_cross_entropy();
    test_attention();
    test_residual();
  }
}
