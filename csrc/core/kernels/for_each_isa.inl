// Compiles KERNEL_FILE once for each instruction set, in a namespace named like it; what it calls must be defined in it
// or be inlined. KERNEL_BYTES is the width of a vector register. A kernel has the same result on each of them: it adds
// in a fixed order, and nothing is contracted (-ffp-contract=off).

#include "core/kernels/isa.h"

#define KERNEL_BYTES 16
namespace seq2seq_kit::kernels::portable {
#include KERNEL_FILE
}  // namespace seq2seq_kit::kernels::portable
#undef KERNEL_BYTES

#if defined(__x86_64__)

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif
#define KERNEL_BYTES 32
namespace seq2seq_kit::kernels::avx2 {
#include KERNEL_FILE
}  // namespace seq2seq_kit::kernels::avx2
#undef KERNEL_BYTES
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq")
#endif
#define KERNEL_BYTES 64
namespace seq2seq_kit::kernels::avx512 {
#include KERNEL_FILE
}  // namespace seq2seq_kit::kernels::avx512
#undef KERNEL_BYTES
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

/// The kernel of this name for the instruction set in use.
#define KERNEL(name) (isa() == Isa::avx512 ? avx512::name : isa() == Isa::avx2 ? avx2::name : portable::name)

#else
#define KERNEL(name) portable::name
#endif
