#include "torch/operator_step.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <utility>

#include "seq2seq_kit/errors.h"

namespace seq2seq_kit {
namespace {

constexpr const char* kForm =
    "(Tensor tokens, Tensor position, Tensor[] rows, Tensor[] history, Tensor[] sentences, Tensor[] params) -> "
    "(Tensor scores, Tensor[] rows, Tensor[] new_history, Tensor attention)";

bool of_types(const std::vector<c10::Argument>& arguments, const std::vector<c10::TypePtr>& types) {
  if (arguments.size() != types.size()) return false;
  for (size_t i = 0; i < types.size(); ++i) {
    if (!arguments[i].type()->isSubtypeOf(*types[i])) return false;
  }
  return true;
}

c10::OperatorHandle find(const std::string& name) {
  const auto after_namespace = name.find("::");
  const auto dot = name.find('.', after_namespace == std::string::npos ? 0 : after_namespace);
  const std::string overload = dot == std::string::npos ? "" : name.substr(dot + 1);
  const auto found = c10::Dispatcher::singleton().findSchema({name.substr(0, dot), overload});
  if (!found) {
    throw SearchError("torch has no operator '" + name +
                      "': the module that registers it, as namespace::operator, must be loaded first");
  }
  const c10::FunctionSchema& schema = found->schema();
  const c10::TypePtr one = c10::TensorType::get(), many = c10::ListType::ofTensors();
  const bool fits = of_types(schema.arguments(), {one, one, many, many, many, many}) &&
                    of_types(schema.returns(), {one, many, many, c10::OptionalType::create(one)});
  if (!fits) {
    throw SearchError("operator '" + name + "' has the form " + c10::toString(schema) + ", expected " + kForm);
  }
  return *found;
}

std::vector<at::Tensor> values(const NamedTensors& tensors) {
  std::vector<at::Tensor> values;
  for (const auto& [name, tensor] : tensors) values.push_back(tensor);
  return values;
}

/// The names of the state for what the operator returned in its order.
NamedTensors named(const std::string& what, std::vector<at::Tensor> tensors, const NamedTensors& state) {
  if (tensors.size() != state.size()) {
    throw SearchError(what + " are " + std::to_string(tensors.size()) + " tensors, expected " +
                      std::to_string(state.size()) + " as in the decoder state");
  }
  NamedTensors result;
  for (size_t i = 0; i < tensors.size(); ++i) result.emplace_back(state[i].first, std::move(tensors[i]));
  return result;
}

/// Undefined where there is none.
at::Tensor read_attention(const c10::IValue& value) {
  if (value.isNone()) return {};
  const at::Tensor& attention = value.toTensor();
  return attention.defined() && attention.dim() == 1 && attention.numel() == 0 ? at::Tensor() : attention;
}

}  // namespace

StepFunction operator_step(const std::string& name, ScoreKind kind, const std::vector<at::Tensor>& params) {
  return [op = find(name), name, kind, params = c10::List<at::Tensor>(params)](
             const at::Tensor& tokens, const at::Tensor& position, const DecoderState& state) -> StepOutput {
    torch::jit::Stack stack{tokens, position, values(state.rows), values(state.history), values(state.sentences),
                            params};
    const std::string whose = "operator '" + name + "'";
    try {
      op.callBoxed(stack);
    } catch (const c10::OutOfMemoryError&) {
      throw;
    } catch (const c10::Error& error) {
      throw SearchError(whose + ": " + error.what_without_backtrace());
    }
    const at::Tensor scores = stack.at(0).toTensor();
    if (!scores.defined()) throw SearchError(whose + " returned no scores");
    return {{scores, kind, read_attention(stack.at(3))},
            named(whose + ": the rows that it returned", stack.at(1).toTensorVector(), state.rows),
            named(whose + ": the new_history that it returned", stack.at(2).toTensorVector(), state.history)};
  };
}

}  // namespace seq2seq_kit
