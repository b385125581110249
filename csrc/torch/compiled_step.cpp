#include "torch/compiled_step.h"

#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <utility>
#include <vector>

#include "seq2seq_kit/errors.h"

namespace seq2seq_kit {
namespace {

using Package = torch::inductor::AOTIModelPackageLoader;

/// The first line of a message: what torch adds is where in its code it was thrown.
std::string first_line(const std::exception& error) {
  const std::string message = error.what();
  return message.substr(0, message.find('\n'));
}

std::shared_ptr<Package> load(const std::string& path, size_t runners) {
  try {
    return std::make_shared<Package>(path, "model", /*run_single_threaded=*/false, runners);
  } catch (const std::exception& error) {
    throw SearchError(path + ": cannot be loaded as compiled code: " + first_line(error));
  }
}

void add(std::vector<at::Tensor>& inputs, const NamedTensors& tensors) {
  for (const auto& [name, tensor] : tensors) inputs.push_back(tensor.contiguous());
}

}  // namespace

StepFunction compiled_step(const std::string& path, ScoreKind kind, size_t runners) {
  return [package = load(path, runners), path, kind](const at::Tensor& tokens, const at::Tensor& position,
                                                     const DecoderState& state) -> StepOutput {
    std::vector<at::Tensor> inputs{tokens, position}, outputs;
    add(inputs, state.rows);
    add(inputs, state.history);
    add(inputs, state.sentences);
    try {
      outputs = package->boxed_run(std::move(inputs));
    } catch (const c10::OutOfMemoryError&) {
      throw;
    } catch (const std::exception& error) {
      throw SearchError(path + ": the compiled step failed: " + first_line(error));
    }
    const size_t expected = 1 + state.rows.size() + state.history.size();
    if (outputs.size() != expected && outputs.size() != expected + 1) {
      throw SearchError(path + ": the compiled step gives " + std::to_string(outputs.size()) + " tensors, expected " +
                        std::to_string(expected) + ", and attention: it is another decoder's");
    }
    StepOutput output{{outputs.front(), kind, outputs.size() > expected ? outputs.back() : at::Tensor()}, {}, {}};
    size_t next = 1;
    for (const auto& [name, tensor] : state.rows) output.rows.emplace_back(name, outputs[next++]);
    for (const auto& [name, tensor] : state.history) output.new_history.emplace_back(name, outputs[next++]);
    return output;
  };
}

DecoderState contiguous(DecoderState state) {
  for (auto* part : {&state.rows, &state.history, &state.sentences}) {
    for (auto& [name, tensor] : *part) tensor = tensor.contiguous();
  }
  return state;
}

}  // namespace seq2seq_kit
