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
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Isa::portable;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512dq") ||
      !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl")) {
    return Isa::avx2;
  }
  if (!__builtin_cpu_supports("avx512vnni")) return Isa::avx512;
  return __builtin_cpu_supports("avx512bf16") ? Isa::avx512_bf16 : Isa::avx512_vnni;
#else
  return Isa::portable;
#endif
}

Isa isa() { return in_use().load(std::memory_order_relaxed); }

void use_isa(Isa isa) { in_use().store(isa, std::memory_order_relaxed); }

}  // namespace seq2seq_kit::kernels
