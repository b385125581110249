#include "bindings/callbacks.h"

#include <pybind11/stl.h>
#include <torch/csrc/autograd/python_variable.h>
#include <torch/csrc/utils/pybind.h>

#include "bindings/python_step.h"
#include "seq2seq_kit/errors.h"

namespace py = pybind11;

namespace seq2seq_kit {
namespace {

/// An object that may be let go of without the GIL.
std::shared_ptr<py::object> held_object(const py::object& object) {
  return {new py::object(object), [](py::object* held) {
            py::gil_scoped_acquire gil;
            delete held;
          }};
}

at::Tensor optional_tensor(const std::string& what, const py::object& object) {
  return object.is_none() ? at::Tensor() : read_tensor(what, object);
}

/// Calls `apply(scores | None, tokens, state)`, which returns a ProcessorOutput, or a tensor of new scores.
class PythonProcessor {
 public:
  PythonProcessor(std::string name, py::object apply) : name_(std::move(name)), apply_(std::move(apply)) {
    const auto interfaces = py::module_::import("seq2seq_kit.interfaces");
    processor_output_ = interfaces.attr("ProcessorOutput");
  }

  ProcessorOutput operator()(const at::Tensor& scores, const at::Tensor& tokens, const DecoderState& state) const {
    py::gil_scoped_acquire gil;
    const py::object given = scores.defined() ? py::cast(scores) : py::none();
    const py::object output = apply_(given, tokens, to_python(state));
    if (THPVariable_Check(output.ptr())) return {read_tensor("scores", output), {}, {}, {}, {}};
    if (!py::isinstance(output, processor_output_)) {
      throw SearchError("processor '" + name_ + "' returned a " + type_name(output) +
                        ", expected a ProcessorOutput (or a Tensor of new scores)");
    }
    const std::string who = "processor '" + name_ + "': its ";
    return {optional_tensor(who + "scores", output.attr("scores")), optional_tensor(who + "rows", output.attr("rows")),
            optional_tensor(who + "tokens", output.attr("tokens")),
            optional_tensor(who + "values", output.attr("values")), read_tensors(who + "state", output.attr("state"))};
  }

 private:
  std::string name_;
  py::object apply_;
  py::object processor_output_;  // the class seq2seq_kit.interfaces.ProcessorOutput
};

}  // namespace

std::unique_ptr<ScoreProcessor> read_processor(const py::handle& processor) {
  const auto name = processor.attr("name").cast<std::string>();
  const py::object apply = processor.attr("apply");
  DecoderState state = read_state(processor.attr("state"));
  if (apply.is_none()) return std::make_unique<ScoreProcessor>(name, operator_processor(name), std::move(state), true);
  return std::make_unique<ScoreProcessor>(name, shared(PythonProcessor(name, apply)), std::move(state),
                                          processor.attr("needs_scores").cast<bool>());
}

std::function<at::Tensor(const at::Tensor&, const at::Tensor&)> read_stop(const py::object& stop) {
  if (stop.is_none()) return nullptr;
  return [held = std::make_shared<py::object>(stop)](const at::Tensor& tokens, const at::Tensor& sums) {
    py::gil_scoped_acquire gil;
    return read_tensor("what the stop criterion returned", (*held)(tokens, sums));
  };
}

std::function<void(int64_t, const std::vector<int64_t>&)> read_on_tokens(const py::object& on_tokens) {
  if (on_tokens.is_none()) return nullptr;
  return [held = std::make_shared<py::object>(on_tokens)](int64_t sentence, const std::vector<int64_t>& tokens) {
    py::gil_scoped_acquire gil;
    (*held)(sentence, tokens);
  };
}

std::function<std::function<void()>(const std::function<void()>&)> read_record(const py::object& record) {
  if (record.is_none()) return nullptr;
  return [held = std::make_shared<py::object>(record)](const std::function<void()>& enqueue) -> std::function<void()> {
    py::gil_scoped_acquire gil;
    const py::object replay = (*held)(py::cpp_function(enqueue));
    if (replay.is_none()) return nullptr;
    return [held = held_object(replay)] {
      py::gil_scoped_acquire gil;
      (*held)();
    };
  };
}

}  // namespace seq2seq_kit
