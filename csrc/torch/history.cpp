#include "torch/history.h"

#include <algorithm>

namespace seq2seq_kit {
namespace {

int64_t row_count(const NamedTensors& initial, int64_t max_beams) {
  return initial.empty() ? 0 : initial.front().second.size(0) * max_beams;
}

}  // namespace

History::History(const NamedTensors& initial, int64_t max_beams)
    : max_beams_(max_beams), ancestors_(row_count(initial, max_beams)) {
  if (initial.empty()) return;
  for (const auto& [name, tensor] : initial) {
    auto shape = tensor.sizes().vec();
    shape[1] = max_beams;
    shape[2] = 0;
    storage_.emplace_back(name, at::empty(shape, tensor.options()));
  }
  const int64_t past = initial.front().second.size(2);
  reserve(past);
  for (size_t i = 0; i < storage_.size(); ++i) {
    storage_[i].second.narrow(1, 0, 1).narrow(2, 0, past).copy_(initial[i].second);
  }
  for (; positions_ < past; ++positions_) ancestors_.append(storage_rows(initial.front().second.size(0), 1));
}

NamedTensors History::view(int64_t batch, int64_t beams) const {
  NamedTensors views;
  for (const auto& [name, tensor] : storage_) {
    views.emplace_back(name, tensor.narrow(0, 0, batch).narrow(1, 0, beams).narrow(2, 0, positions_));
  }
  return views;
}

void History::append(const NamedTensors& slices) {
  if (storage_.empty()) return;
  reserve(positions_ + 1);
  const int64_t batch = slices.front().second.size(0), beams = slices.front().second.size(1);
  for (size_t i = 0; i < storage_.size(); ++i) {
    storage_[i].second.narrow(0, 0, batch).narrow(1, 0, beams).narrow(2, positions_, 1).copy_(slices[i].second);
  }
  ancestors_.append(storage_rows(batch, beams));
  ++positions_;
}

void History::select(const Selection& selection) {
  if (storage_.empty()) return;
  const auto from = selection.rows(max_beams_);
  const auto to = storage_rows(static_cast<int64_t>(selection.survivors.size()), selection.beams);
  const auto copies = ancestors_.reorder(from, to);
  if (copies.empty()) return;
  std::vector<int64_t> sources, targets;
  for (size_t i = 0; i < copies.position.size(); ++i) {
    sources.push_back(copies.from_row[i] * capacity_ + copies.position[i]);
    targets.push_back(copies.to_row[i] * capacity_ + copies.position[i]);
  }
  const auto device = storage_.front().second.device();
  const at::Tensor source = to_tensor(sources, device), target = to_tensor(targets, device);
  for (auto& [name, tensor] : storage_) {
    at::Tensor flat = tensor.flatten(0, 2);  // a view: [B * max_beams * capacity, ...]
    flat.index_copy_(0, target, flat.index_select(0, source));
  }
}

void History::reserve(int64_t positions) {
  if (positions <= capacity_) return;
  capacity_ = std::max({positions, 2 * capacity_, int64_t{16}});
  for (auto& [name, tensor] : storage_) {
    auto shape = tensor.sizes().vec();
    shape[2] = capacity_;
    at::Tensor larger = at::empty(shape, tensor.options());
    larger.narrow(2, 0, positions_).copy_(tensor.narrow(2, 0, positions_));
    tensor = std::move(larger);
  }
}

std::vector<int64_t> History::storage_rows(int64_t batch, int64_t beams) const {
  std::vector<int64_t> rows;
  rows.reserve(batch * beams);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t k = 0; k < beams; ++k) rows.push_back(b * max_beams_ + k);
  }
  return rows;
}

}  // namespace seq2seq_kit
