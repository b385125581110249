#include "core/parallel.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace seq2seq_kit {
namespace {

using Work = std::function<void(int64_t, int64_t, int64_t)>;

/// One call of parallel_for. Threads take its blocks one by one; the caller is one of them, so that it gets done even
/// when all others are busy.
class Job {
 public:
  Job(int64_t count, int64_t blocks, const Work& work)
      : count_(count), blocks_(blocks), work_(&work), unfinished_(blocks), errors_(blocks) {}

  void take_blocks() {
    for (int64_t block = next_++; block < blocks_; block = next_++) {
      try {
        (*work_)(block, begin(block), begin(block + 1));
      } catch (...) {
        errors_[block] = std::current_exception();
      }
      const std::lock_guard lock(mutex_);
      if (--unfinished_ == 0) finished_.notify_one();
    }
  }

  /// Waits for the blocks that others have taken.
  void finish() {
    {
      std::unique_lock lock(mutex_);
      finished_.wait(lock, [&] { return unfinished_ == 0; });
    }
    const auto errors = std::move(errors_);  // not left to a thread that still holds the job
    for (const auto& error : errors) {
      if (error) std::rethrow_exception(error);
    }
  }

 private:
  int64_t begin(int64_t block) const { return block * (count_ / blocks_) + std::min(block, count_ % blocks_); }

  const int64_t count_, blocks_;
  const Work* work_;  // not touched after the last block, when the caller returns
  std::atomic<int64_t> next_ = 0;
  std::mutex mutex_;
  std::condition_variable finished_;
  int64_t unfinished_;
  std::vector<std::exception_ptr> errors_;  // [blocks]
};

/// Threads that help with jobs. Lives as long as the process: they may still sleep in it at exit.
class Pool {
 public:
  void offer(const std::shared_ptr<Job>& job, int64_t helpers) {
    {
      const std::lock_guard lock(mutex_);
      while (threads_ < helpers && start_thread()) ++threads_;
      jobs_.insert(jobs_.end(), std::min(helpers, threads_), job);
    }
    wake_.notify_all();
  }

 private:
  /// False where no more can be started: the others do its work.
  bool start_thread() {
    sigset_t all, before;  // signals are for the threads of the program, not for these
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = true;
    try {
      std::thread([this] { help(); }).detach();
    } catch (const std::exception&) {  // std::system_error or std::bad_alloc
      started = false;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return started;
  }

  [[noreturn]] void help() {
    for (;;) {
      std::shared_ptr<Job> job;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return !jobs_.empty(); });
        job = std::move(jobs_.front());
        jobs_.pop_front();
      }
      job->take_blocks();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> jobs_;
  int64_t threads_ = 0;
};

std::atomic<Pool*> pool_of_process = nullptr;

Pool& pool() {
  // A forked process has none of the threads, and perhaps a lock that one of them held: it starts with a new pool.
  static const int registered = pthread_atfork(nullptr, nullptr, [] { pool_of_process = nullptr; });
  static_cast<void>(registered);
  Pool* pool = pool_of_process;
  if (pool) return *pool;
  auto fresh = std::make_unique<Pool>();
  return pool_of_process.compare_exchange_strong(pool, fresh.get()) ? *fresh.release() : *pool;
}

}  // namespace

void parallel_for(int64_t count, int64_t blocks, const Work& work) {
  blocks = std::min(blocks, count);
  if (blocks <= 0) return;
  if (blocks == 1) return work(0, 0, count);
  const auto job = std::make_shared<Job>(count, blocks, work);
  pool().offer(job, blocks - 1);
  job->take_blocks();
  job->finish();
}

}  // namespace seq2seq_kit
