#include "torch/memory_states.h"

#include <ATen/ATen.h>

#include <string>

#include "seq2seq_kit/errors.h"
#include "torch/tensors.h"

namespace seq2seq_kit {

MemoryStates::MemoryStates(const at::Tensor& states, const at::Tensor& mask, int64_t size) {
  if (!states.defined()) throw SearchError("this decoder looks up a source, and is given no memory");
  if (states.dim() != 3 || states.size(2) != size) {
    throw SearchError("the memory's states have shape " + to_string(states.sizes()) + ", expected [B, S, " +
                      std::to_string(size) + "]");
  }
  if (mask.sizes() != states.sizes().slice(0, 2) || mask.scalar_type() != at::kBool) {
    throw SearchError("the memory's mask has shape " + to_string(mask.sizes()) + ", expected bool " +
                      to_string(states.sizes().slice(0, 2)) + " = [B, S]");
  }
  states_ = states.to(at::kCPU, at::kFloat).contiguous();
  mask_ = mask.to(at::kCPU).contiguous();
}

}  // namespace seq2seq_kit
