// Changes to one row of scores of which most stays as it is. Torch-free.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace seq2seq_kit {

inline constexpr float kImpossible = -std::numeric_limits<float>::infinity();

/// New scores for some tokens of a row; all others are shifted, or, in a closed row, impossible. Costs what is edited,
/// not what the row is long. Keeps its buffers between rows.
class RowEdits {
 public:
  /// Forgets everything; the next row has `vocab` tokens.
  void reset(int64_t vocab) {
    for (const int64_t token : tokens_) places_[token] = 0;
    tokens_.clear();
    values_.clear();
    masks_.clear();
    closed_ = false;
    shift_ = 0;
    if (static_cast<int64_t>(places_.size()) < vocab) places_.resize(vocab, 0);
  }

  bool empty() const { return tokens_.empty() && !closed_ && masks_.empty(); }
  bool closed() const { return closed_; }
  bool masked() const { return !masks_.empty(); }

  /// Whether a token that is not edited keeps its score, shifted.
  bool open(int64_t token) const {
    const auto allows = [token](const Mask& mask) { return mask.allows(token); };
    return !closed_ && std::all_of(masks_.begin(), masks_.end(), allows);
  }

  /// What is added to the scores of tokens that are not edited.
  float shift() const { return shift_; }

  /// The edited tokens in the order of their first edit, and their scores.
  std::span<const int64_t> tokens() const { return tokens_; }
  std::span<const float> values() const { return values_; }

  /// The token's new score, or nullptr where it has none of its own.
  const float* find(int64_t token) const {
    const int32_t place = places_[token];
    return place == 0 ? nullptr : &values_[place - 1];
  }

  void set(int64_t token, float score) {
    int32_t& place = places_[token];
    if (place == 0) {
      tokens_.push_back(token);
      values_.push_back(score);
      place = static_cast<int32_t>(tokens_.size());
    } else {
      values_[place - 1] = score;
    }
  }

  /// Adds to every score.
  void shift_all(float by) {
    shift_ += by;
    for (float& value : values_) value += by;
  }

  /// Makes tokens impossible that `allowed` [up to V] does not mark, until they are set again; what is beyond it is
  /// allowed if `beyond`. The row must not outlive it.
  void mask(std::span<const uint8_t> allowed, bool beyond) {
    const Mask& mask = masks_.emplace_back(Mask{allowed, beyond});
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (!mask.allows(tokens_[i])) values_[i] = kImpossible;
    }
  }

  /// Makes every token impossible, until it is set again.
  void close() {
    for (const int64_t token : tokens_) places_[token] = 0;
    tokens_.clear();
    values_.clear();
    closed_ = true;
  }

 private:
  struct Mask {
    std::span<const uint8_t> allowed;
    bool beyond;

    bool allows(int64_t token) const {
      return token < static_cast<int64_t>(allowed.size()) ? allowed[token] != 0 : beyond;
    }
  };

  std::vector<int32_t> places_;  // [V]: 1 + the token's place in tokens_, or 0
  std::vector<int64_t> tokens_;
  std::vector<float> values_;
  std::vector<Mask> masks_;
  bool closed_ = false;
  float shift_ = 0;
};

}  // namespace seq2seq_kit
