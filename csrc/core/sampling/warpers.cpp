#include "core/sampling/warpers.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>

#include "core/kernels/row.h"
#include "core/kernels/weights.h"
#include "core/row_edits.h"

namespace seq2seq_kit {
namespace {

/// The k greatest scores of a row, in `buffer`, the least of them last; blocks that hold none are passed over.
std::span<float> find_greatest(const SampleRow& row, int64_t k, std::vector<float>& buffer) {
  if (static_cast<int64_t>(buffer.size()) < row.vocab()) buffer.resize(row.vocab());
  const auto begin = buffer.begin();
  const auto move_up = [&](int64_t size) { std::nth_element(begin, begin + (k - 1), begin + size, std::greater<>()); };
  float least = std::numeric_limits<float>::lowest();  // of those looked at: the k-th greatest of the blocks' greatest
  const auto blocks = static_cast<int64_t>(row.maxima.size());
  if (blocks >= k) {
    std::copy(row.maxima.begin(), row.maxima.end(), begin);
    move_up(blocks);
    least = std::max(least, buffer[k - 1]);
  }
  int64_t found = 0;
  for (int64_t start = 0, block = 0; start < row.vocab(); start += kernels::kBlock, ++block) {
    if (row.maxima[block] < least) continue;
    const int64_t size = std::min(kernels::kBlock, row.vocab() - start);
    found += kernels::at_least(&row.scores[start], size, least, &buffer[found]);
  }
  if (found >= k) move_up(found);
  for (; found < k; ++found) buffer[found] = kImpossible;
  return {begin, begin + k};
}

/// One row on its way through the warpers.
class Narrowing {
 public:
  Narrowing(SampleRow& row, int64_t* sums, SampleBuffers& buffers)
      : row_(row), sums_(sums), buffers_(buffers), weights_(buffers.weights) {
    weights_.resize(row.vocab());
  }

  /// The sum of the weights, once it is known; then `sums` hold those of the blocks.
  std::optional<int64_t> known_weight() const { return weight_; }

  /// The same, found where it is not.
  int64_t weight() {
    if (!weight_) {
      weight_ =
          kernels::weigh(row_.scores.data(), row_.vocab(), row_.max(), row_.maxima.data(), sums_, weights_.data());
    }
    return *weight_;
  }

  kernels::Mass mass() {
    const kernels::Mass mass = kernels::weigh_with_surprisal(row_.scores.data(), row_.vocab(), row_.max(),
                                                             row_.maxima.data(), sums_, weights_.data());
    weight_ = mass.weight;
    return mass;
  }

  /// Keeps the tokens whose d is no further from `centre` than `radius`, and the `least` nearest.
  void keep(float centre, float radius, int64_t least) {
    if (least > 1) radius = std::max(radius, nearest(centre, std::min(least, row_.vocab())));
    radius = std::min(radius, std::numeric_limits<float>::max());
    const float max = row_.max();
    if (!weight_) {
      kernels::keep(row_.scores.data(), row_.vocab(), max, centre, radius, row_.maxima.data());
    } else {
      weight_ = kernels::keep(row_.scores.data(), row_.vocab(), max, centre, radius, row_.maxima.data(),
                              weights_.data(), sums_);
      if (row_.max() != max) weight_.reset();  // weights are relative to the greatest score
    }
  }

  /// The radius around d = 0 of the k likeliest.
  float radius_of_top(int64_t k) { return row_.max() - find_greatest(row_, k, buffers_.values).back(); }

  float radius_of_entropy(double share);
  float radius_of_share(float centre, double share);

 private:
  /// How far the n-th nearest token is.
  float nearest(float centre, int64_t n) {
    const float max = row_.max();
    auto& distances = buffers_.values;
    distances.resize(row_.vocab());
    std::transform(row_.scores.begin(), row_.scores.end(), distances.begin(),
                   [&](float score) { return std::fabs((max - score) - centre); });
    std::nth_element(distances.begin(), distances.begin() + (n - 1), distances.end());
    return distances[n - 1];
  }

  std::optional<float> radius_of_few(double goal);
  float radius_by_bins(float centre, double goal);

  SampleRow& row_;
  int64_t* sums_;
  SampleBuffers& buffers_;
  std::vector<int32_t>& weights_;  // [V] of blocks that weigh something, as they were when the sum was found
  std::optional<int64_t> weight_;  // the sum of those that are left
};

/// The radius of the likeliest of the 100 likeliest, whose terms of the entropy add up to at most `share` of it.
float Narrowing::radius_of_entropy(double share) {
  constexpr int64_t kMost = 100;
  const float max = row_.max();
  const int64_t most = std::min(kMost, row_.vocab());
  const auto values = find_greatest(row_, most, buffers_.values);
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
  return radius;
}

/// The radius of those nearest to `centre` that together weigh at least `share` of all. Weights are those of the row as
/// it is: nothing has been removed since they were found, if they were.
float Narrowing::radius_of_share(float centre, double share) {
  const double goal = share * static_cast<double>(weight());
  if (centre == 0) {
    if (const auto radius = radius_of_few(goal)) return *radius;
  }
  return radius_by_bins(centre, goal);
}

/// The same around d = 0, where the few likeliest weigh enough, as they mostly do.
std::optional<float> Narrowing::radius_of_few(double goal) {
  constexpr int64_t kFew = 64;
  const float max = row_.max();
  const int64_t few = std::min({kFew, row_.vocab(), static_cast<int64_t>(row_.maxima.size() + 1) / 2});
  const auto values = find_greatest(row_, few, buffers_.values);
  int32_t weights[kFew];
  kernels::weights(values.data(), few, max, weights);
  int64_t reached = 0;
  for (int64_t i = 0; i < few; ++i) reached += weights[i];
  if (static_cast<double>(reached) < goal) return std::nullopt;
  std::sort(values.begin(), values.end(), std::greater<>());
  kernels::weights(values.data(), few, max, weights);
  reached = weights[0];
  int64_t last = 0;
  while (static_cast<double>(reached) < goal) reached += weights[++last];
  return max - values[last];
}

/// Distances are counted in bins; only those of the bin in which the sum of weights reaches its goal are sorted.
float Narrowing::radius_by_bins(float centre, double goal) {
  constexpr int32_t kBins = 2048;
  constexpr float kBinsANat = 64;  // a power of 2: the bounds of bins are exact
  const float max = row_.max();
  int32_t places[kernels::kBlock];
  const auto each_block = [&](auto&& visit) {  // of those that weigh something: (scores, weights, size)
    for (int64_t start = 0, block = 0; start < row_.vocab(); start += kernels::kBlock, ++block) {
      const int64_t size = std::min(kernels::kBlock, row_.vocab() - start);
      if (sums_[block] > 0) visit(&row_.scores[start], &weights_[start], size);
    }
  };
  buffers_.bins.assign(kBins, 0);
  int64_t* bins = buffers_.bins.data();
  each_block([&](const float* scores, const int32_t* weights, int64_t size) {
    kernels::distances(scores, size, max, centre, kBinsANat, kBins - 1, places);
    for (int64_t i = 0; i < size; ++i) bins[places[i]] += weights[i];
  });
  int64_t reached = 0;
  int32_t bin = 0;  // of the goal
  while (bin < kBins - 1 && (bins[bin] == 0 || static_cast<double>(reached + bins[bin]) < goal)) reached += bins[bin++];

  const float from = static_cast<float>(bin) / kBinsANat;
  const float to = bin == kBins - 1 ? -kImpossible : static_cast<float>(bin + 1) / kBinsANat;
  buffers_.nearest.clear();
  each_block([&](const float* scores, const int32_t* weights, int64_t size) {
    const int64_t found = kernels::between(scores, size, max, centre, from, to, places);
    for (int64_t i = 0; i < found; ++i) {
      if (weights[places[i]] == 0) continue;
      buffers_.nearest.emplace_back(std::fabs((max - scores[places[i]]) - centre), weights[places[i]]);
    }
  });
  std::sort(buffers_.nearest.begin(), buffers_.nearest.end());
  float radius = 0;
  for (const auto& [far, weight] : buffers_.nearest) {
    radius = far;
    reached += weight;
    if (static_cast<double>(reached) >= goal) break;
  }
  return radius;
}

}  // namespace

std::optional<int64_t> warp(const SearchOptions& options, SampleRow& row, int64_t* sums, SampleBuffers& buffers) {
  const bool as_hf = options.semantics == Semantics::hf && options.sampling == Sampling::beams;
  const int64_t least = as_hf ? 1 + static_cast<int64_t>(options.eos_ids.size()) : 1;
  Narrowing narrowing(row, sums, buffers);
  const auto log_total = [](int64_t weight) { return std::log(static_cast<double>(weight) / kernels::kOne); };
  const auto mean = [](const kernels::Mass& mass) {
    return static_cast<double>(mass.surprisal) / static_cast<double>(mass.weight);
  };
  const auto keep_likelier = [&](double cutoff) {
    const double radius = -std::log(cutoff) - log_total(narrowing.weight());
    narrowing.keep(0, std::max(0.0f, static_cast<float>(radius)), least);
  };
  if (options.top_h > 0) narrowing.keep(0, narrowing.radius_of_entropy(options.top_h), 1);
  if (options.top_k > 0 && options.top_k < row.vocab()) {
    narrowing.keep(0, narrowing.radius_of_top(options.top_k), least);
  }
  if (options.top_p < 1) narrowing.keep(0, narrowing.radius_of_share(0, options.top_p), least);
  if (options.min_p > 0) narrowing.keep(0, static_cast<float>(-std::log(options.min_p)), least);
  if (options.typical_p < 1) {
    const auto centre = static_cast<float>(mean(narrowing.mass()));
    narrowing.keep(centre, narrowing.radius_of_share(centre, options.typical_p), least);
  }
  if (options.epsilon > 0) keep_likelier(options.epsilon);
  if (options.eta > 0) {
    const kernels::Mass mass = narrowing.mass();
    const double entropy = mean(mass) + log_total(mass.weight);
    keep_likelier(std::min(options.eta, std::sqrt(options.eta) * std::exp(-entropy)));
  }
  return narrowing.known_weight();
}

}  // namespace seq2seq_kit
