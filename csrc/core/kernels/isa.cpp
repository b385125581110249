#include "core/kernels/isa.h"

#include <atomic>

namespace seq2seq_kit::kernels {
namespace {

std::atomic<Isa>& in_use() {
  static std::atomic<Isa> isa = best_isa();
  return isa;
}

}  // namespace

Isa best_isa() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) return Isa::avx512;
  if (__builtin_cpu_supports("avx2")) return Isa::avx2;
#endif
  return Isa::portable;
}

Isa isa() { return in_use().load(std::memory_order_relaxed); }

void use_isa(Isa isa) { in_use().store(isa, std::memory_order_relaxed); }

}  // namespace seq2seq_kit::kernels
