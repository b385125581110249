#include "core/transformer/past.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace seq2seq_kit::transformer {

void Past::Free::operator()(float* memory) const { std::free(memory); }

void Past::open_step() {
  if (used_ + rows_ > capacity_) {
    const int64_t capacity = std::max({used_ + rows_, 2 * capacity_, 16 * rows_});
    // A large block grows by mapping its pages elsewhere: nothing is copied, and there is no time with two of them.
    void* larger = std::realloc(cells_.get(), static_cast<size_t>(capacity * stride_) * sizeof(float));
    if (!larger) throw std::bad_alloc();
    static_cast<void>(cells_.release());
    cells_.reset(static_cast<float*>(larger));
    capacity_ = capacity;
  }
  std::vector<int32_t> longer;
  longer.reserve(rows_ * (length_ + 1));
  for (int64_t row = 0; row < rows_; ++row) {
    const auto past = places(row);
    longer.insert(longer.end(), past.begin(), past.end());
    longer.push_back(static_cast<int32_t>(used_ + row));
  }
  places_ = std::move(longer);
  used_ += rows_;
  ++length_;
}

void Past::select(std::span<const int64_t> parents) {
  std::vector<int32_t> chosen;
  chosen.reserve(parents.size() * length_);
  for (const int64_t parent : parents) {
    const auto past = places(parent);
    chosen.insert(chosen.end(), past.begin(), past.end());
  }
  places_ = std::move(chosen);
  rows_ = static_cast<int64_t>(parents.size());
}

}  // namespace seq2seq_kit::transformer
