// Work on torch's own threads, which its operations before and after run on: those of a pool of ours would meet them
// still spinning.
#pragma once

#include <cstdint>
#include <functional>

namespace seq2seq_kit {

/// Calls `work(begin, end)` for contiguous parts of [0, count) of at least `grain` that make up all of it, at the same
/// time on as many threads as `torch.set_num_threads` allows.
void on_torch_threads(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>& work);

}  // namespace seq2seq_kit
