#include "core/kernels/weights_memory.h"

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace seq2seq_kit::kernels {
namespace {

constexpr size_t kLine = 64;
constexpr size_t kPage = size_t{2} << 20;
constexpr size_t kShared = 8 * kPage;

size_t rounded_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

/// Pages that are given away from their beginning to their end.
class Pages {
 public:
  explicit Pages(size_t bytes)
      : bytes_(rounded_up(bytes, kPage)), begin_(static_cast<std::byte*>(std::aligned_alloc(kPage, bytes_))) {
    if (!begin_) throw std::bad_alloc();
#if defined(__linux__)
    madvise(begin_, bytes_, MADV_HUGEPAGE);  // a wish: refused, they are small pages
#endif
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  ~Pages() { std::free(begin_); }

  bool has_room(size_t bytes) const { return used_ + bytes <= bytes_; }

  void* take(size_t bytes) {
    std::byte* const taken = begin_ + used_;
    used_ += bytes;
    return taken;
  }

 private:
  size_t bytes_, used_ = 0;
  std::byte* begin_;
};

}  // namespace

std::shared_ptr<uint32_t[]> weights_memory(size_t size) {
  static std::mutex mutex;
  static std::weak_ptr<Pages> shared;
  const size_t bytes = rounded_up(size * sizeof(uint32_t), kLine);
  std::shared_ptr<Pages> pages;
  void* taken;
  if (bytes > kShared / 4) {
    pages = std::make_shared<Pages>(bytes);
    taken = pages->take(bytes);
  } else {
    const std::lock_guard lock(mutex);
    pages = shared.lock();
    if (!pages || !pages->has_room(bytes)) shared = pages = std::make_shared<Pages>(kShared);
    taken = pages->take(bytes);
  }
  std::memset(taken, 0, bytes);
  return {std::move(pages), static_cast<uint32_t*>(taken)};
}

}  // namespace seq2seq_kit::kernels
