// Threads that work on one thing together, for pieces of work too small for `parallel_for`: the products of a step with
// few rows. Torch-free, and never OpenMP.
#pragma once

#include <cstdint>
#include <functional>

namespace seq2seq_kit {

/// While it lives, the thread that made it leads a team of `threads`, itself among them: what it does `together` is
/// shared out. Below two threads there is none, and inside shared work. The other threads wait for work at full speed
/// for about 0.1 ms, then sleep; they are kept for the next leader, and started where there are too few: leaders may be
/// many, and in a process that was forked from one that had some.
class Leader {
 public:
  explicit Leader(int64_t threads);
  Leader(const Leader&) = delete;
  Leader& operator=(const Leader&) = delete;
  ~Leader();

 private:
  class Team;
  friend void together(int64_t count, const std::function<void(int64_t, int64_t, int64_t)>& work);
  friend int64_t team_size();
  static thread_local Team* led_;  // by this thread

  Team* team_ = nullptr;
  Team* before_;
};

/// Threads of the team that this thread leads; 1 where it leads none.
int64_t team_size();

/// As `parallel_for`, with a block for each thread of the team that this thread leads. Costs less than a microsecond
/// where the threads are awake.
void together(int64_t count, const std::function<void(int64_t block, int64_t begin, int64_t end)>& work);

}  // namespace seq2seq_kit
