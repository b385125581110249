// The Python module `seq2seq_kit._engine._native`: the only code here that knows pybind11 and the GIL.
#include <c10/core/InferenceMode.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <chrono>
#include <functional>
#include <vector>

#include "bindings/python_step.h"
#include "seq2seq_kit/abi.h"
#include "seq2seq_kit/errors.h"
#include "seq2seq_kit/search_options.h"
#include "torch/python_step_model.h"
#include "torch/search.h"
#include "torch/table_step_model.h"

namespace py = pybind11;

namespace seq2seq_kit {
namespace {

/// (tokens, score, log_prob, token_log_probs, attention): the fields of `seq2seq_kit.decoding.hypothesis.Hypothesis`.
py::list to_python(const SearchResult& result) {
  py::list sentences;
  for (size_t b = 0; b < result.hypotheses.size(); ++b) {
    py::list best;
    for (size_t i = 0; i < result.hypotheses[b].size(); ++i) {
      const Hypothesis& h = result.hypotheses[b][i];
      const at::Tensor& attention = result.attention[b][i];
      best.append(py::make_tuple(h.tokens, h.score, h.log_prob, h.token_log_probs,
                                 attention.defined() ? py::cast(attention) : py::none()));
    }
    sentences.append(best);
  }
  return sentences;
}

/// Lets Python handle signals that have arrived (Ctrl-C). Not at every step of a fast model: the GIL may be in demand.
class SignalCheck {
 public:
  void operator()() {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < std::chrono::milliseconds(20)) return;
    last_ = now;
    py::gil_scoped_acquire gil;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

/// Runs a search without the GIL and without autograd.
py::list run(StepModel& model, const SearchOptions& options, const std::vector<int64_t>& source_lengths,
             bool select_on_device) {
  options.validate();
  std::vector<int64_t> limits;
  for (const int64_t length : source_lengths) limits.push_back(options.limit(length));
  SearchResult result;
  {
    py::gil_scoped_release released;
    c10::InferenceMode inference;
    result = search(model, options, limits, SignalCheck(), select_on_device);
  }
  return to_python(result);
}

py::list search_python(const py::object& step, const py::object& state, const SearchOptions& options,
                       const std::vector<int64_t>& source_lengths, bool select_on_device) {
  const PythonStep python_step(step);
  PythonStepModel model(std::cref(python_step), read_state(state));
  return run(model, options, source_lengths, select_on_device);
}

py::list search_table(const at::Tensor& table, const py::object& kind, const SearchOptions& options,
                      const std::vector<int64_t>& source_lengths, bool select_on_device) {
  TableStepModel model(table, read_kind(kind));
  return run(model, options, source_lengths, select_on_device);
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
    } catch (const SearchError& error) {
      py::set_error(py::module_::import("seq2seq_kit.errors").attr("SearchError"), error.what());
    }
  });

  py::class_<SearchOptions>(module, "SearchOptions")
      .def(py::init<>())
      .def_readwrite("beam_size", &SearchOptions::beam_size)
      .def_readwrite("n_best", &SearchOptions::n_best)
      .def_readwrite("length_penalty", &SearchOptions::length_penalty)
      .def_readwrite("min_length", &SearchOptions::min_length)
      .def_readwrite("max_length", &SearchOptions::max_length)
      .def_readwrite("max_length_ratio", &SearchOptions::max_length_ratio)
      .def_readwrite("max_length_margin", &SearchOptions::max_length_margin)
      .def_readwrite("bos_id", &SearchOptions::bos_id)
      .def_readwrite("eos_ids", &SearchOptions::eos_ids)
      .def_property(
          "semantics", [](const SearchOptions& options) { return std::string(to_string(options.semantics)); },
          [](SearchOptions& options, const std::string& name) { options.semantics = parse_semantics(name); })
      .def_property(
          "numerics", [](const SearchOptions& options) { return std::string(to_string(options.numerics)); },
          [](SearchOptions& options, const std::string& name) { options.numerics = parse_numerics(name); })
      .def_readwrite("attention", &SearchOptions::attention)
      .def("validate", &SearchOptions::validate);

  module.def("search", &search_python, py::arg("step"), py::arg("state"), py::arg("options"), py::arg("source_lengths"),
             py::arg("select_on_device") = false);
  module.def("search_table", &search_table, py::arg("table"), py::arg("kind"), py::arg("options"),
             py::arg("source_lengths"), py::arg("select_on_device") = false);
}
