#include "core/coverage.h"

#include <algorithm>
#include <cmath>

namespace seq2seq_kit {

void Coverage::see(std::span<const float> attention, int64_t positions) {
  attention_.assign(attention.begin(), attention.end());
  positions_ = positions;
}

Coverage::Slot Coverage::continued(int64_t slot) const {
  Slot next = slots_[slot];
  next.total.resize(positions_, 0.0f);
  const float* row = attention_.data() + slot * positions_;
  for (int64_t i = 0; i < positions_; ++i) {
    next.repeated += std::min(row[i], next.total[i]);
    next.total[i] += row[i];
  }
  return next;
}

double Coverage::penalty(int64_t slot) const { return on() ? penalty(continued(slot)) : 0; }

double Coverage::penalty_so_far(int64_t slot) const { return on() ? penalty(slots_[slot]) : 0; }

double Coverage::penalty(const Slot& slot) const {
  if (kind_ == CoverageKind::see) return -weight_ * slot.repeated;
  double sum = 0;
  for (const float total : slot.total) {
    if (total > 0) sum += std::log(std::min(static_cast<double>(total), 1.0));
  }
  return weight_ * sum;
}

void Coverage::begin() { next_.clear(); }

void Coverage::keep(int64_t slot) {
  if (on()) next_.push_back(continued(slot));
}

void Coverage::end() {
  if (on()) slots_.swap(next_);
}

void Coverage::drop(std::span<const bool> gone) {
  if (!on()) return;
  next_.clear();
  for (size_t slot = 0; slot < slots_.size(); ++slot) {
    if (!gone[slot]) next_.push_back(slots_[slot]);
  }
  slots_.swap(next_);
}

}  // namespace seq2seq_kit
