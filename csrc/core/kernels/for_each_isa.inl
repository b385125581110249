// Compiles KERNEL_FILE once for each instruction set, in a namespace named like it; what it calls must be defined in it
// or be inlined. KERNEL_BYTES is the width of a vector register. The instruction sets with dot products of small
// numbers are for kernels that define KERNEL_DOT_PRODUCTS; KERNEL_VNNI and KERNEL_BF16 tell whether they are there.
//
// Nothing is contracted (-ffp-contract=off): a kernel that adds in a fixed order, and uses no instruction that only
// some have, has the same result on each of them.

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "core/kernels/isa.h"

#define KERNEL_BYTES 16
namespace seq2seq_kit::kernels::portable {
#include KERNEL_FILE
}  // namespace seq2seq_kit::kernels::portable
#undef KERNEL_BYTES

#if defined(__x86_64__)

#define KERNEL_BYTES 32
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
namespace seq2seq_kit::kernels::avx2 {
#include KERNEL_FILE
}  // namespace seq2seq_kit::kernels::avx2
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef KERNEL_BYTES

#define KERNEL_BYTES 64
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl")
#endif
namespace seq2seq_kit::kernels::avx512 {
#include KERNEL_FILE
}  // namespace seq2seq_kit::kernels::avx512
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#if defined(KERNEL_DOT_PRODUCTS)
#define KERNEL_VNNI
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512vnni"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx512vnni")
#endif
namespace seq2seq_kit::kernels::avx512_vnni {
#include KERNEL_FILE
}  // namespace seq2seq_kit::kernels::avx512_vnni
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#define KERNEL_BF16
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512vnni,avx512bf16"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx512vnni,avx512bf16")
#endif
namespace seq2seq_kit::kernels::avx512_bf16 {
#include KERNEL_FILE
}  // namespace seq2seq_kit::kernels::avx512_bf16
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef KERNEL_VNNI
#undef KERNEL_BF16
#endif
#undef KERNEL_BYTES

#endif

/// The kernel of this name for the instruction set in use.
#if !defined(__x86_64__)
#define KERNEL(name) portable::name
#elif defined(KERNEL_DOT_PRODUCTS)
#define KERNEL(name)                              \
  (isa() == Isa::avx512_bf16   ? avx512_bf16::name \
   : isa() == Isa::avx512_vnni ? avx512_vnni::name \
   : isa() == Isa::avx512      ? avx512::name      \
   : isa() == Isa::avx2        ? avx2::name        \
                               : portable::name)
#else
#define KERNEL(name) (isa() >= Isa::avx512 ? avx512::name : isa() == Isa::avx2 ? avx2::name : portable::name)
#endif
