// The Python module `seq2seq_kit._engine._native`: the only code here that knows pybind11 and the GIL.
#include <c10/core/InferenceMode.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bindings/callbacks.h"
#include "bindings/function_steps.h"
#include "bindings/kernels.h"
#include "bindings/native_steps.h"
#include "bindings/options.h"
#include "bindings/python_step.h"
#include "bindings/recurrent.h"
#include "bindings/training.h"
#include "core/cancellation.h"
#include "seq2seq_kit/abi.h"
#include "seq2seq_kit/errors.h"
#include "seq2seq_kit/search_options.h"
#include "torch/device_search.h"
#include "torch/ensemble_step_model.h"
#include "torch/function_step_model.h"
#include "torch/search.h"
#include "torch/table_step_model.h"

namespace py = pybind11;

namespace seq2seq_kit {
namespace {

/// (tokens, score, log_prob, token_log_probs, finish, top_tokens, unmet, attention): the fields of
/// `seq2seq_kit.decoding.hypothesis.Hypothesis`.
py::list to_python(const SearchResult& result) {
  py::list sentences;
  for (size_t b = 0; b < result.hypotheses.size(); ++b) {
    py::list best;
    for (size_t i = 0; i < result.hypotheses[b].size(); ++i) {
      const Hypothesis& h = result.hypotheses[b][i];
      const at::Tensor& attention = result.attention[b][i];
      py::list top_tokens;
      for (const auto& top : h.top_tokens) {
        py::list likeliest;
        for (const TopToken& each : top) likeliest.append(py::make_tuple(each.token, each.log_prob));
        top_tokens.append(likeliest);
      }
      best.append(py::make_tuple(h.tokens, h.score, h.log_prob, h.token_log_probs, std::string(to_string(h.finish)),
                                 top_tokens, h.unmet, attention.defined() ? py::cast(attention) : py::none()));
    }
    sentences.append(best);
  }
  return sentences;
}

/// Lets Python handle signals that have arrived (Ctrl-C), which it does in its main thread alone: no other waits for
/// the GIL here. Not at every step of a fast model: the GIL may be in demand.
class SignalCheck {
 public:
  explicit SignalCheck(bool in_main_thread) : in_main_thread_(in_main_thread) {}

  void operator()() {
    if (!in_main_thread_) return;
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < std::chrono::milliseconds(20)) return;
    last_ = now;
    py::gil_scoped_acquire gil;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  }

 private:
  bool in_main_thread_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

/// What the caller gave beside the step. `call` has the fields of `seq2seq_kit.decoding.search.Call`.
SearchControl read_control(const py::object& call) {
  SearchControl control;
  for (const py::handle& processor : call.attr("processors")) control.processors.push_back(read_processor(processor));
  control.stop = read_stop(call.attr("stop"));
  control.on_tokens = read_on_tokens(call.attr("on_tokens"));
  control.record = read_record(call.attr("record"));
  control.search_on_device = call.attr("search_on_device").cast<bool>();
  control.select_on_device = call.attr("select_on_device").cast<bool>();
  control.shrink = call.attr("shrink").cast<bool>();
  const py::object cancellation = call.attr("cancellation");
  SignalCheck check(call.attr("in_main_thread").cast<bool>());
  if (cancellation.is_none()) {
    control.before_step = check;
  } else {
    control.before_step = [check, flag = cancellation.cast<std::shared_ptr<Cancellation>>()]() mutable {
      if (flag->cancelled()) throw SearchCancelled("the search was cancelled");
      check();
    };
  }
  return control;
}

/// Runs a search without the GIL and without autograd.
py::list run(StepModel& model, const SearchOptions& options, const std::vector<SentenceInput>& sentences,
             const py::object& call) {
  SearchControl control = read_control(call);
  SearchResult result;
  {
    py::gil_scoped_release released;
    c10::InferenceMode inference;
    result = search(model, options, sentences, control);
  }
  return to_python(result);
}

/// A Python step, or a NativeStep.
std::unique_ptr<StepModel> read_step(const py::object& step, const py::object& state, bool takes_padding = false) {
  if (py::isinstance<NativeStep>(step)) return step.cast<const NativeStep&>().begin();
  return std::make_unique<FunctionStepModel>(shared(PythonStep(step)), read_state(state), takes_padding);
}

py::list search_step(const py::object& step, const py::object& state, const SearchOptions& options,
                     const std::vector<SentenceInput>& sentences, const py::object& call) {
  return run(*read_step(step, state, call.attr("takes_padding").cast<bool>()), options, sentences, call);
}

std::optional<std::string> reason_for_host(const SearchOptions& options, const std::vector<SentenceInput>& sentences,
                                           const py::object& call) {
  for (const SentenceInput& sentence : sentences) sentence.validate();
  return why_on_host(options, sentences, make_processors(options, sentences), read_control(call));
}

py::list search_ensemble(const std::vector<py::object>& steps, const std::vector<py::object>& states,
                         const std::vector<double>& weights, const std::string& combination,
                         const SearchOptions& options, const std::vector<SentenceInput>& sentences,
                         const py::object& call) {
  if (combination != "linear" && combination != "log_linear") {
    throw SearchError("an ensemble's combination is '" + combination + "', expected 'linear' or 'log_linear'");
  }
  std::vector<std::unique_ptr<StepModel>> members;
  for (size_t i = 0; i < steps.size(); ++i) members.push_back(read_step(steps[i], states.at(i)));
  EnsembleStepModel model(std::move(members), weights,
                          combination == "linear" ? Combination::linear : Combination::log_linear);
  return run(model, options, sentences, call);
}

py::list search_table(const at::Tensor& table, const py::object& kind, const SearchOptions& options,
                      const std::vector<SentenceInput>& sentences, const py::object& call) {
  TableStepModel model(table, read_kind(kind));
  return run(model, options, sentences, call);
}

}  // namespace
}  // namespace seq2seq_kit

PYBIND11_MODULE(_native, module) {
  using namespace seq2seq_kit;
  module.doc() = "The search engine of seq2seq_kit; use seq2seq_kit.search.";
  module.attr("ABI") = SEQ2SEQ_KIT_ABI;

  py::register_local_exception_translator([](std::exception_ptr exception) {
    try {
      if (exception) std::rethrow_exception(exception);
    } catch (const SearchCancelled& error) {
      py::set_error(py::module_::import("seq2seq_kit.errors").attr("SearchCancelled"), error.what());
    } catch (const SearchError& error) {
      py::set_error(py::module_::import("seq2seq_kit.errors").attr("SearchError"), error.what());
    }
  });

  bind_options(module);
  bind_native_steps(module);
  bind_function_steps(module);
  bind_kernels(module);
  bind_recurrent(module);
  bind_training(module);

  py::class_<Cancellation, std::shared_ptr<Cancellation>>(module, "Cancellation")
      .def(py::init<>())
      .def("cancel", &Cancellation::cancel)
      .def_property_readonly("cancelled", &Cancellation::cancelled);

  module.def("search", &search_step, py::arg("step"), py::arg("state"), py::arg("options"), py::arg("sentences"),
             py::arg("call"));
  module.def("why_on_host", &reason_for_host, py::arg("options"), py::arg("sentences"), py::arg("call"));
  module.def("search_ensemble", &search_ensemble, py::arg("steps"), py::arg("states"), py::arg("weights"),
             py::arg("combination"), py::arg("options"), py::arg("sentences"), py::arg("call"));
  module.def("search_table", &search_table, py::arg("table"), py::arg("kind"), py::arg("options"), py::arg("sentences"),
             py::arg("call"));
}
