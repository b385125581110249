// Work on several threads of our own. Torch-free, and never OpenMP: torch's runtime must stay the only one.
#pragma once

#include <cstdint>
#include <functional>

namespace seq2seq_kit {

/// Cuts [0, count) into `blocks` contiguous blocks of nearly equal size and calls `work(block, begin, end)` once for
/// each that is not empty, on this thread and on threads of a pool that the whole process shares; returns when all are
/// done. Which thread takes a block is left to chance, but no two work on one: whatever a block writes to of its own
/// needs no lock. An exception ends its block alone; that of the lowest block is thrown again here.
///
/// May be called from several threads at once, from inside `work`, and in a process that was forked from one that has
/// called it: the pool's threads are started where they are missing. They sleep while there is nothing to do.
void parallel_for(int64_t count, int64_t blocks, const std::function<void(int64_t, int64_t, int64_t)>& work);

}  // namespace seq2seq_kit
