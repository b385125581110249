#include "torch/recurrent_step.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <optional>
#include <utility>

#include "core/recurrent/decoder.h"
#include "core/team.h"
#include "seq2seq_kit/errors.h"
#include "torch/memory_states.h"
#include "torch/native_step_model.h"

namespace seq2seq_kit {
namespace {

/// The final state that a decoder's `start` is made of, checked; undefined where it is made of something else.
at::Tensor read_final(const recurrent::Start& start, const std::string& name, const NamedTensors& final, int64_t batch,
                      int64_t size) {
  if (start.from != recurrent::Start::From::final) return {};
  if (!start.linear.empty()) size = start.linear.front().inputs();
  for (const auto& [own, tensor] : final) {
    if (own != name) continue;
    if (tensor.dim() != 3 || tensor.size(0) != batch || tensor.size(1) < 1 || tensor.size(2) != size) {
      throw SearchError("the memory's final state '" + name + "' has shape " + to_string(tensor.sizes()) +
                        ", expected [" + std::to_string(batch) + ", layers, " + std::to_string(size) + "]");
    }
    return tensor.to(at::kCPU, at::kFloat).contiguous();
  }
  throw SearchError("this decoder begins with the memory's final state '" + name + "', and the memory has none");
}

recurrent::Memory::Final view(const at::Tensor& final) {
  if (!final.defined()) return {};
  return {final.const_data_ptr<float>(), final.size(1), final.size(2)};
}

std::shared_ptr<const recurrent::Source> read_source(const recurrent::Weights& weights, const at::Tensor& states,
                                                     const at::Tensor& mask, const NamedTensors& final) {
  if (weights.memory_size == 0 || (!states.defined() && !weights.attention)) return nullptr;
  const MemoryStates memory(states, mask, weights.memory_size);
  const at::Tensor h = read_final(weights.start_h, "h", final, memory.batch(), weights.size());
  const at::Tensor c = read_final(weights.start_c, "c", final, memory.batch(), weights.size());
  const Leader leader(at::get_num_threads());
  return std::make_shared<recurrent::Source>(
      weights, recurrent::Memory{memory.states(), memory.real(), memory.batch(), view(h), view(c)});
}

}  // namespace

RecurrentStep::RecurrentStep(std::shared_ptr<const recurrent::Weights> weights, const at::Tensor& states,
                             const at::Tensor& mask, const NamedTensors& final, bool attention_wanted)
    : weights_(std::move(weights)),
      source_(read_source(*weights_, states, mask, final)),
      attention_wanted_(attention_wanted && weights_->attention) {}

std::unique_ptr<StepModel> RecurrentStep::begin() const {
  std::optional<int64_t> batch, width;
  if (source_) batch = source_->batch();
  if (attention_wanted_) width = source_->width();
  return std::make_unique<NativeStepModel>(std::make_unique<recurrent::Decoder>(weights_, source_), batch, width);
}

}  // namespace seq2seq_kit
