#include "core/transformer/past.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace seq2seq_kit::transformer {
namespace {

/// Hypotheses read from all over a block: in large pages, addresses are translated faster. A wish: what the system
/// refuses stays as it is.
void wish_for_large_pages([[maybe_unused]] void* block, [[maybe_unused]] size_t bytes) {
#if defined(__linux__)
  constexpr uintptr_t kPage = uintptr_t{2} << 20;
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(block) + kPage - 1) / kPage * kPage;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(block) + bytes) / kPage * kPage;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
}

/// What a search has left for the next one on its thread: to be given fresh pages costs a tenth of a search.
struct Spare {
  static constexpr int64_t kMost = int64_t{64} << 20;  // words: 256 MiB

  uint32_t* memory = nullptr;
  int64_t size = 0;  // words

  Spare() = default;
  Spare(const Spare&) = delete;
  Spare& operator=(const Spare&) = delete;
  ~Spare() { std::free(memory); }
};

thread_local Spare spare;

}  // namespace

void Past::Free::operator()(uint32_t* memory) const { std::free(memory); }

Past::~Past() {
  const int64_t size = capacity_ * stride_;
  if (size <= spare.size || size > Spare::kMost) return;
  std::free(std::exchange(spare.memory, cells_.release()));
  spare.size = size;
}

void Past::open_step() {
  const auto unused = static_cast<int64_t>(free_.size());
  reserve(used_ + std::max<int64_t>(rows_ - unused, 0));
  std::vector<int32_t> longer;
  longer.reserve(rows_ * (length_ + 1));
  for (int64_t row = 0; row < rows_; ++row) {
    const auto past = places(row);
    longer.insert(longer.end(), past.begin(), past.end());
    longer.push_back(take());
  }
  places_ = std::move(longer);
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

  std::vector<bool> needed(used_);
  for (const int32_t place : places_) needed[place] = true;
  free_.clear();
  for (int64_t cell = used_; cell-- > 0;) {  // the first ones are taken first: they are likelier to be in a cache
    if (!needed[cell]) free_.push_back(static_cast<int32_t>(cell));
  }
}

int32_t Past::take() {
  if (free_.empty()) return static_cast<int32_t>(used_++);
  const int32_t cell = free_.back();
  free_.pop_back();
  return cell;
}

void Past::reserve(int64_t cells) {
  if (capacity_ == 0 && stride_ > 0) {
    cells_.reset(std::exchange(spare.memory, nullptr));
    capacity_ = std::exchange(spare.size, 0) / stride_;
  }
  if (cells <= capacity_) return;
  const int64_t capacity = std::max({cells, 2 * capacity_, 32 * rows_});
  // A large block grows by mapping its pages elsewhere: nothing is copied, and there is no time with two of them.
  // Memory that is not written to is not taken.
  const size_t bytes = static_cast<size_t>(capacity * stride_) * sizeof(uint32_t);
  void* larger = std::realloc(cells_.get(), bytes);
  if (!larger) throw std::bad_alloc();
  static_cast<void>(cells_.release());
  cells_.reset(static_cast<uint32_t*>(larger));
  capacity_ = capacity;
  wish_for_large_pages(larger, bytes);
}

}  // namespace seq2seq_kit::transformer
