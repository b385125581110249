// How kernels are compiled: once for each instruction set.
#pragma once

// GCC and Clang compile each of these functions once per instruction set and pick one when the library is loaded
// (glibc's indirect functions, which run before a sanitizer is ready).
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(SEQ2SEQ_KIT_SANITIZE)
#define PER_ISA __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#define INLINE __attribute__((always_inline)) inline
#else
#define PER_ISA
#define INLINE inline
#endif
