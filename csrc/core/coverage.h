// How much attention each source position has had along each live hypothesis. Torch-free.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "seq2seq_kit/search_options.h"

namespace seq2seq_kit {

/// The coverage penalty of Wu et al. 2016 or of See et al. 2017, carried by selection. Attention adds up in float32,
/// the penalty in float64, position by position.
class Coverage {
 public:
  explicit Coverage(const SearchOptions& options) : weight_(options.coverage_penalty), kind_(options.coverage) {}

  bool on() const { return weight_ > 0; }

  /// A step's attention, [live slots, positions]. Positions that never had any (padding) do not count.
  void see(std::span<const float> attention, int64_t positions);

  /// What is added to the score of the hypothesis that continues `slot` at this step; 0 where the penalty is off.
  double penalty(int64_t slot) const;

  /// The same for a live hypothesis as it is.
  double penalty_so_far(int64_t slot) const;

  /// Between these two, `keep` lists the slots that the next ones continue, in order.
  void begin();
  void keep(int64_t slot);
  void end();

  void drop(std::span<const bool> gone);

  /// All slots start anew.
  void forget() { slots_.assign(slots_.size(), Slot{}); }

 private:
  struct Slot {
    std::vector<float> total;  // [positions]
    double repeated = 0;       // the sum over steps and positions of min(attention, total before)
  };

  Slot continued(int64_t slot) const;
  double penalty(const Slot& slot) const;

  double weight_;
  CoverageKind kind_;
  int64_t positions_ = 0;
  std::vector<float> attention_;  // [live slots, positions]
  std::vector<Slot> slots_{1}, next_;
};

}  // namespace seq2seq_kit
