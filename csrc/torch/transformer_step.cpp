#include "torch/transformer_step.h"

#include <ATen/Parallel.h>

#include <utility>

#include "core/team.h"
#include "core/transformer/decoder.h"
#include "torch/memory_states.h"
#include "torch/native_step_model.h"

namespace seq2seq_kit {
namespace {

std::shared_ptr<const transformer::Source> read_source(const transformer::Weights& weights, const at::Tensor& states,
                                                       const at::Tensor& mask) {
  const auto& attention = weights.layers.front().source_attention;
  if (!attention) return nullptr;
  const MemoryStates memory(states, mask, attention->key_value.inputs());
  const Leader leader(at::get_num_threads());
  return std::make_shared<transformer::Source>(weights, memory.states(), memory.real(), memory.batch());
}

}  // namespace

TransformerStep::TransformerStep(std::shared_ptr<const transformer::Weights> weights, const at::Tensor& states,
                                 const at::Tensor& mask, bool attention_wanted)
    : weights_(std::move(weights)),
      source_(read_source(*weights_, states, mask)),
      attention_wanted_(attention_wanted) {}

std::unique_ptr<StepModel> TransformerStep::begin() const {
  std::optional<int64_t> batch, width;
  if (source_) batch = source_->batch();
  if (source_ && attention_wanted_) width = source_->width();
  return std::make_unique<NativeStepModel>(std::make_unique<transformer::Decoder>(weights_, source_), batch, width);
}

}  // namespace seq2seq_kit
