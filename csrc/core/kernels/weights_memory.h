// Memory for weights, in large pages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace seq2seq_kit::kernels {

/// `size` words of zeros that begin at a cache line. Where the operating system has large pages they lie in some, which
/// matrices share that are smaller: reading all the weights of a model then goes at the speed of the memory and not at
/// that of address translation, which halves it. Memory returns to the system with the last matrix that shares it.
/// Throws std::bad_alloc.
std::shared_ptr<uint32_t[]> weights_memory(size_t size);

}  // namespace seq2seq_kit::kernels
