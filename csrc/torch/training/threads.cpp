// The only file that is compiled with OpenMP (see CMakeLists.txt): `at::parallel_for` is a template that needs it here.
#include "torch/training/threads.h"

#include <ATen/Parallel.h>

namespace seq2seq_kit {

void on_torch_threads(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>& work) {
  at::parallel_for(0, count, grain, work);
}

}  // namespace seq2seq_kit
