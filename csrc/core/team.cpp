#include "core/team.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <iterator>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace seq2seq_kit {
namespace {

using Work = std::function<void(int64_t, int64_t, int64_t)>;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Waits until `value` is no longer `old`: at full speed at first, then so that others may have the processor, then
/// asleep.
void wait_while(const std::atomic<uint32_t>& value, uint32_t old) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kAlone = std::chrono::microseconds(20), kAwake = std::chrono::microseconds(100);
  const auto begin = Clock::now();
  for (auto passed = Clock::duration::zero(); passed < kAwake; passed = Clock::now() - begin) {
    for (int i = 0; i < 32; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      pause();
    }
    if (passed > kAlone) std::this_thread::yield();
  }
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
}

thread_local bool in_shared_work = false;

}  // namespace

/// The threads beside a leader. Lives as long as the process: they may still sleep in it at exit.
class Leader::Team {
 public:
  /// One that nobody leads.
  static Team* take(int64_t threads) {
    Idle& idle = idle_teams();
    {
      const std::lock_guard lock(idle.mutex);
      const auto found = std::find_if(idle.teams.rbegin(), idle.teams.rend(),
                                      [&](const Team* team) { return team->wanted_ == threads; });
      if (found != idle.teams.rend()) {
        Team* const team = *found;
        idle.teams.erase(std::next(found).base());
        return team;
      }
      idle.teams.reserve(++idle.made);
    }
    return new Team(threads);
  }

  static void give_back(Team* team) {
    Idle& idle = idle_teams();
    const std::lock_guard lock(idle.mutex);
    idle.teams.push_back(team);  // for which there is room
  }

  int64_t size() const { return size_; }

  void run(int64_t count, const Work& work) {
    count_ = count;
    work_ = &work;
    unfinished_.store(static_cast<uint32_t>(size_), std::memory_order_relaxed);
    const uint32_t call = calls_.load(std::memory_order_relaxed) + 1;
    next_.store(uint64_t{call} << 32, std::memory_order_release);
    calls_.store(call, std::memory_order_release);
    calls_.notify_all();
    take_blocks(call);
    for (uint32_t left; (left = unfinished_.load(std::memory_order_acquire)) != 0;) wait_while(unfinished_, left);
    std::exception_ptr lowest;
    for (std::exception_ptr& error : errors_) {
      if (!lowest) lowest = error;
      error = nullptr;
    }
    if (lowest) std::rethrow_exception(lowest);
  }

 private:
  /// Teams without a leader. The last that lost its own is the first to be led again: its threads may be awake.
  struct Idle {
    std::mutex mutex;
    std::vector<Team*> teams;
    size_t made = 0;
  };

  static Idle& idle_teams() {
    // A forked process has none of the threads, and perhaps a lock that one of them held: it starts with new teams.
    static std::atomic<Idle*> of_process = nullptr;
    static const int registered = pthread_atfork(nullptr, nullptr, [] { of_process = nullptr; });
    static_cast<void>(registered);
    Idle* idle = of_process;
    if (idle) return *idle;
    auto fresh = std::make_unique<Idle>();
    return of_process.compare_exchange_strong(idle, fresh.get()) ? *fresh.release() : *idle;
  }

  /// With fewer threads where no more can be started.
  explicit Team(int64_t threads) : wanted_(threads), errors_(threads) {
    sigset_t all, before;  // signals are for the threads of the program, not for these
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
      for (; size_ < threads; ++size_) std::thread([this] { help(); }).detach();
    } catch (const std::exception&) {  // std::system_error or std::bad_alloc
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  /// The blocks of a call that nobody has taken: a thread that the system has not let run is not waited for.
  void take_blocks(uint32_t call) {
    for (uint64_t next = next_.load(std::memory_order_acquire);;) {
      const auto block = static_cast<int64_t>(next & 0xffffffff);
      if (next >> 32 != call || block >= size_) return;
      if (!next_.compare_exchange_weak(next, next + 1, std::memory_order_acq_rel)) continue;
      do_block(block);
      if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_one();
      next = next_.load(std::memory_order_acquire);
    }
  }

  void do_block(int64_t block) {
    const int64_t begin = count_ * block / size_, end = count_ * (block + 1) / size_;
    if (begin == end) return;
    in_shared_work = true;
    try {
      (*work_)(block, begin, end);
    } catch (...) {
      errors_[block] = std::current_exception();
    }
    in_shared_work = false;
  }

  [[noreturn]] void help() {
    for (uint32_t seen = 0;;) {
      wait_while(calls_, seen);
      seen = calls_.load(std::memory_order_acquire);
      take_blocks(seen);
    }
  }

  const int64_t wanted_;
  int64_t size_ = 1;
  alignas(64) std::atomic<uint32_t> calls_ = 0;  // of `run`, so far
  int64_t count_ = 0;
  const Work* work_ = nullptr;
  alignas(64) std::atomic<uint64_t> next_ = 0;        // of which call, the block to be taken next
  alignas(64) std::atomic<uint32_t> unfinished_ = 0;  // blocks
  std::vector<std::exception_ptr> errors_;            // [blocks]
};

thread_local Leader::Team* Leader::led_ = nullptr;

Leader::Leader(int64_t threads) : before_(led_) {
  if (threads > 1 && !in_shared_work) led_ = team_ = Team::take(threads);
}

Leader::~Leader() {
  if (team_) Team::give_back(team_);
  led_ = before_;
}

int64_t team_size() { return Leader::led_ && !in_shared_work ? Leader::led_->size() : 1; }

void together(int64_t count, const Work& work) {
  if (count <= 0) return;
  if (count == 1 || team_size() == 1) return work(0, 0, count);
  Leader::led_->run(count, work);
}

}  // namespace seq2seq_kit
