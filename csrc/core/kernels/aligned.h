// Memory that begins at a cache line, for the kernels.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace seq2seq_kit::kernels {

/// A fixed number of plain values, zeros at first.
template <typename T>
class AlignedArray {
 public:
  AlignedArray() = default;
  explicit AlignedArray(size_t size) : size_(size) {
    const size_t whole_lines = (size * sizeof(T) + kLine - 1) / kLine * kLine;
    values_.reset(static_cast<T*>(std::aligned_alloc(kLine, whole_lines)));
    if (!values_) throw std::bad_alloc();
    std::memset(static_cast<void*>(values_.get()), 0, whole_lines);
  }

  T* data() { return values_.get(); }
  const T* data() const { return values_.get(); }
  T& operator[](size_t i) { return values_.get()[i]; }
  const T& operator[](size_t i) const { return values_.get()[i]; }
  size_t size() const { return size_; }
  size_t bytes() const { return size_ * sizeof(T); }

 private:
  static constexpr size_t kLine = 64;
  struct Free {
    void operator()(T* values) const { std::free(values); }
  };

  std::unique_ptr<T[], Free> values_;
  size_t size_ = 0;
};

}  // namespace seq2seq_kit::kernels
