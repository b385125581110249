#include "torch/state.h"

namespace seq2seq_kit {

at::Device device_of(const DecoderState& state) {
  for (const auto* part : {&state.rows, &state.history, &state.sentences}) {
    if (!part->empty()) return part->front().second.device();
  }
  return at::kCPU;
}

void select(DecoderState& state, const Selection& selection, int64_t batch, int64_t beams) {
  const auto survivors = static_cast<int64_t>(selection.survivors.size());
  if (!state.rows.empty()) {
    const at::Tensor rows = to_tensor(selection.rows(beams), device_of(state));
    for (auto& [name, tensor] : state.rows) {
      auto shape = tensor.sizes().vec();
      shape[0] = survivors;
      shape[1] = selection.beams;
      tensor = tensor.flatten(0, 1).index_select(0, rows).view(shape);
    }
  }
  if (survivors < batch && !state.sentences.empty()) {
    const at::Tensor kept = to_tensor(selection.survivors, device_of(state));
    for (auto& [name, tensor] : state.sentences) tensor = tensor.index_select(0, kept);
  }
}

}  // namespace seq2seq_kit
