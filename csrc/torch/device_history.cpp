#include "torch/device_history.h"

#include <algorithm>

namespace seq2seq_kit {
namespace {

at::Tensor numbers(int64_t count, at::Device device) {
  return at::arange(count, at::TensorOptions(at::kLong).device(device));
}

/// `tensor` with room for `size` along dimension 2, zeros behind what it holds.
at::Tensor extended(const at::Tensor& tensor, int64_t size) {
  auto shape = tensor.sizes().vec();
  shape[2] = size;
  at::Tensor larger = at::zeros(shape, tensor.options());  // whoever is shown padding may multiply by it
  larger.narrow(2, 0, tensor.size(2)).copy_(tensor);
  return larger;
}

}  // namespace

DeviceHistory::DeviceHistory(const NamedTensors& initial, int64_t beams, bool pads) : beams_(beams), pads_(pads) {
  if (initial.empty()) return;
  const at::Tensor& any = initial.front().second;
  first_ = any.size(2);
  for (const auto& [name, tensor] : initial) {
    auto shape = tensor.sizes().vec();
    shape[1] = beams;
    at::Tensor slots = at::zeros(shape, tensor.options());
    slots.narrow(1, 0, 1).copy_(tensor);
    storage_.emplace_back(name, slots);
  }
  writers_ = at::zeros({any.size(0), beams, first_}, any.options().dtype(at::kLong));
  capacity_ = first_;
}

bool DeviceHistory::begin(int64_t position) {
  positions_ = first_ + position;
  return !storage_.empty() && reserve(positions_ + 1);
}

NamedTensors DeviceHistory::view(int64_t width) const {
  NamedTensors views;
  if (storage_.empty()) return views;
  const int64_t shown = pads_ ? capacity_ : positions_;
  at::Tensor from;  // [B * K * shown] indexes into [B * K * capacity]
  if (width > 1) {
    const at::Device device = writers_.device();
    const at::Tensor sentences = (numbers(writers_.size(0), device) * beams_).view({-1, 1, 1});
    from = (sentences + writers_.narrow(2, 0, shown)) * capacity_ + numbers(shown, device);
    from = from.flatten();
  }
  for (const auto& [name, tensor] : storage_) {
    if (width == 1) {
      views.emplace_back(name, tensor.narrow(1, 0, 1).narrow(2, 0, shown));
      continue;
    }
    auto shape = tensor.sizes().vec();
    shape[2] = shown;
    views.emplace_back(name, tensor.flatten(0, 2).index_select(0, from).view(shape));
  }
  return views;
}

void DeviceHistory::append(const NamedTensors& slices, const at::Tensor& position) {
  if (storage_.empty()) return;
  const at::Tensor first = position.narrow(0, 0, 1);  // the device's own count: what is enqueued here may run again
  const at::Tensor place = first_ == 0 ? first : first + first_;
  for (size_t i = 0; i < storage_.size(); ++i) {
    storage_[i].second.narrow(1, 0, slices[i].second.size(1)).index_copy_(2, place, slices[i].second);
  }
  if (beams_ == 1) return;
  const at::Tensor own = numbers(beams_, writers_.device()).view({1, -1, 1});
  writers_.index_copy_(2, place, own.expand({writers_.size(0), beams_, 1}));
}

void DeviceHistory::select(const at::Tensor& parents) {
  if (storage_.empty() || beams_ == 1) return;
  writers_.copy_(writers_.gather(1, parents.unsqueeze(-1).expand_as(writers_)));
}

bool DeviceHistory::reserve(int64_t positions) {
  if (positions <= capacity_) return false;
  capacity_ = std::max({positions, 2 * capacity_, int64_t{32}});
  for (auto& [name, tensor] : storage_) tensor = extended(tensor, capacity_);
  writers_ = extended(writers_, capacity_);
  return true;
}

}  // namespace seq2seq_kit
