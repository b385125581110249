#pragma once

#include <atomic>

namespace seq2seq_kit {

/// Tells a search, from any thread, to end.
class Cancellation {
 public:
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cancelled_ = false;
};

}  // namespace seq2seq_kit
