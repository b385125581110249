#include "core/sampling/warpers.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/kernels/row.h"
#include "core/kernels/weights.h"
#include "core/row_edits.h"

namespace seq2seq_kit {
namespace {

constexpr int64_t kFew = 16;  // tokens looked at together, where most are passed over

/// What a warper leaves, and where it works.
struct Warper {
  int64_t least;  // tokens that are always kept, the nearest
  SampleBuffers& buffers;

  /// Keeps the tokens whose d is no further from `centre` than `radius`.
  void keep(SampleRow& row, float centre, float radius) const {
    if (least > 1) radius = std::max(radius, nearest(row, centre, std::min(least, row.vocab())));
    kernels::keep(row.scores.data(), row.vocab(), row.max(), centre, radius, row.maxima.data());
  }

  void keep_nearest(SampleRow& row, float centre, double share) const;

 private:
  /// How far the n-th nearest token is.
  float nearest(const SampleRow& row, float centre, int64_t n) const {
    const float max = row.max();
    auto& distances = buffers.values;
    distances.clear();
    for (const float score : row.scores) distances.push_back(std::fabs((max - score) - centre));
    std::nth_element(distances.begin(), distances.begin() + (n - 1), distances.end());
    return distances[n - 1];
  }
};

/// The k greatest scores of a row, the least of them last, into `values`; blocks that hold none are passed over.
void find_greatest(const SampleRow& row, int64_t k, std::vector<float>& values) {
  const auto kth = [&] {
    std::nth_element(values.begin(), values.begin() + (k - 1), values.end(), std::greater<>());
    return values[k - 1];
  };
  float least = kImpossible;  // the k-th greatest of the blocks' greatest
  if (static_cast<int64_t>(row.maxima.size()) >= k) {
    values.assign(row.maxima.begin(), row.maxima.end());
    least = kth();
  }
  values.clear();
  for (int64_t start = 0, block = 0; start < row.vocab(); start += kernels::kBlock, ++block) {
    if (row.maxima[block] < least) continue;
    for (int64_t i = start; i < std::min(start + kernels::kBlock, row.vocab()); i += kFew) {
      const auto few = row.scores.subspan(i, std::min(kFew, row.vocab() - i));
      bool any = false;
      for (const float score : few) any |= score >= least;
      if (!any) continue;
      for (const float score : few) {
        if (score >= least) values.push_back(score);
      }
    }
  }
  kth();
  values.resize(k);
}

/// Keeps the likeliest of the 100 likeliest, whose terms of the entropy add up to at most `share` of it.
void keep_entropy(SampleRow& row, double share, SampleBuffers& buffers) {
  constexpr int64_t kMost = 100;
  const float max = row.max();
  const int64_t most = std::min(kMost, row.vocab());
  auto& values = buffers.values;
  find_greatest(row, most, values);
  std::sort(values.begin(), values.end(), std::greater<>());
  int32_t weights[kMost];
  kernels::weights(values.data(), most, max, weights);
  int64_t total = 0;
  for (int64_t i = 0; i < most; ++i) total += weights[i];
  const double log_total = std::log(static_cast<double>(total) / kernels::kOne);
  double so_far[kMost], entropy = 0;  // -p log p, added up from the likeliest
  for (int64_t i = 0; i < most && weights[i] > 0; ++i) {
    const double p = static_cast<double>(weights[i]) / static_cast<double>(total);
    entropy += p * (static_cast<double>(max - values[i]) + log_total);
    so_far[i] = entropy;
  }
  float radius = 0;
  for (int64_t i = 0; i < most && weights[i] > 0 && so_far[i] <= share * entropy; ++i) radius = max - values[i];
  kernels::keep(row.scores.data(), row.vocab(), max, 0, radius, row.maxima.data());
}

/// Keeps those nearest to `centre` that together weigh at least `share` of all.
void Warper::keep_nearest(SampleRow& row, float centre, double share) const {
  // Distances are counted in bins; only those of the bin in which the sum of weights reaches its goal are sorted.
  constexpr int64_t kBins = 2048;
  constexpr float kBinsANat = 64;
  const float max = row.max();
  int32_t weights[kernels::kBlock], bins[kernels::kBlock];
  const auto each_block = [&](auto&& visit) {  // of those that weigh something: (scores, size), with `bins` filled
    for (int64_t start = 0, block = 0; start < row.vocab(); start += kernels::kBlock, ++block) {
      if (!(max - row.maxima[block] <= kernels::kWeightless)) continue;
      const int64_t size = std::min(kernels::kBlock, row.vocab() - start);
      kernels::distances(&row.scores[start], size, max, centre, kBinsANat, kBins - 1, bins);
      visit(&row.scores[start], size);
    }
  };
  int64_t total = 0;
  buffers.bins.assign(kBins, 0);
  each_block([&](const float* scores, int64_t size) {
    kernels::weights(scores, size, max, weights);
    for (int64_t i = 0; i < size; ++i) {
      if (weights[i] > 0) buffers.bins[bins[i]] += weights[i];
    }
  });
  for (const int64_t bin : buffers.bins) total += bin;

  const double goal = share * static_cast<double>(total);
  int64_t reached = 0;
  int32_t goal_bin = 0;
  while (goal_bin < kBins - 1 &&
         (buffers.bins[goal_bin] == 0 || static_cast<double>(reached + buffers.bins[goal_bin]) < goal)) {
    reached += buffers.bins[goal_bin++];
  }
  buffers.nearest.clear();
  each_block([&](const float* scores, int64_t size) {
    for (int64_t i = 0; i < size; i += kFew) {
      const int64_t end = std::min(i + kFew, size);
      bool any = false;
      for (int64_t j = i; j < end; ++j) any |= bins[j] == goal_bin;
      if (!any) continue;
      kernels::weights(scores + i, end - i, max, weights);
      for (int64_t j = i; j < end; ++j) {
        if (bins[j] != goal_bin || weights[j - i] == 0) continue;
        buffers.nearest.emplace_back(std::fabs((max - scores[j]) - centre), weights[j - i]);
      }
    }
  });
  std::sort(buffers.nearest.begin(), buffers.nearest.end());
  float radius = 0;
  for (const auto& [far, weight] : buffers.nearest) {
    radius = far;
    reached += weight;
    if (static_cast<double>(reached) >= goal) break;
  }
  keep(row, centre, radius);
}

}  // namespace

void warp(const SearchOptions& options, SampleRow& row, int64_t* sums, SampleBuffers& buffers) {
  const bool as_hf = options.semantics == Semantics::hf && options.sampling == Sampling::beams;
  const Warper warper{as_hf ? 1 + static_cast<int64_t>(options.eos_ids.size()) : 1, buffers};
  const auto weigh = [&] { return kernels::weigh(row.scores.data(), row.vocab(), row.max(), row.maxima.data(), sums); };
  const auto log_total = [](const kernels::Mass& mass) {
    return std::log(static_cast<double>(mass.weight) / kernels::kOne);
  };
  const auto mean = [](const kernels::Mass& mass) {
    return static_cast<double>(mass.surprisal) / static_cast<double>(mass.weight);
  };
  const auto keep_likelier = [&](double cutoff, const kernels::Mass& mass) {
    warper.keep(row, 0, std::max(0.0f, static_cast<float>(-std::log(cutoff) - log_total(mass))));
  };
  if (options.top_h > 0) keep_entropy(row, options.top_h, buffers);
  if (options.top_k > 0 && options.top_k < row.vocab()) {
    find_greatest(row, options.top_k, buffers.values);
    warper.keep(row, 0, row.max() - buffers.values.back());
  }
  if (options.top_p < 1) warper.keep_nearest(row, 0, options.top_p);
  if (options.min_p > 0) warper.keep(row, 0, static_cast<float>(-std::log(options.min_p)));
  if (options.typical_p < 1) warper.keep_nearest(row, static_cast<float>(mean(weigh())), options.typical_p);
  if (options.epsilon > 0) keep_likelier(options.epsilon, weigh());
  if (options.eta > 0) {
    const kernels::Mass mass = weigh();
    const double entropy = mean(mass) + log_total(mass);
    keep_likelier(std::min(options.eta, std::sqrt(options.eta) * std::exp(-entropy)), mass);
  }
}

}  // namespace seq2seq_kit
