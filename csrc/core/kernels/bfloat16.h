// bfloat16 as the kernels see it: the upper half of a float.
#pragma once

#include <cstdint>

namespace seq2seq_kit::kernels {

struct Bfloat16 {
  uint16_t bits;
};

}  // namespace seq2seq_kit::kernels
