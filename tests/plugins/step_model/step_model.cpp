// A third party's StepModel: of every token the next higher one is the likeliest. It keeps what it was fed, to see that
// it is told which hypotheses live on.
#include <ATen/ATen.h>

#include "seq2seq_kit/errors.h"
#include "seq2seq_kit/python.h"

namespace {

class Counting : public seq2seq_kit::StepModel {
 public:
  explicit Counting(int64_t vocab) : vocab_(vocab) {}

  void init(int64_t batch, int64_t /*max_beams*/) override { fed_ = at::empty({batch, 1, 0}, at::kLong); }

  seq2seq_kit::StepScores step(const at::Tensor& tokens, const at::Tensor& position) override {
    if (fed_.size(2) != position[0].item<int64_t>()) throw seq2seq_kit::SearchError("a step was left out");
    fed_ = at::cat({fed_, tokens.unsqueeze(2)}, 2);  // [B, K, t + 1]
    const at::Tensor next = at::one_hot(at::remainder(tokens + 1, vocab_), vocab_).to(at::kFloat);
    return {3 * next, seq2seq_kit::ScoreKind::logits, fed_.narrow(2, 0, 1).to(at::kFloat)};  // [B, K, 1]
  }

  void select(const seq2seq_kit::Selection& selection) override {
    auto rows = selection.rows(fed_.size(1));
    const auto count = static_cast<int64_t>(selection.survivors.size());
    const at::Tensor chosen = at::from_blob(rows.data(), {static_cast<int64_t>(rows.size())}, at::kLong);
    fed_ = fed_.flatten(0, 1).index_select(0, chosen).view({count, selection.beams, fed_.size(2)});
  }

  at::Device device() const override { return at::kCPU; }

 private:
  int64_t vocab_;
  at::Tensor fed_;
};

class CountingStep : public seq2seq_kit::NativeStep {
 public:
  explicit CountingStep(int64_t vocab) : vocab_(vocab) {}

  std::unique_ptr<seq2seq_kit::StepModel> begin() const override {
    if (vocab_ < 2) throw seq2seq_kit::SearchError("counting needs two tokens");
    return std::make_unique<Counting>(vocab_);
  }

 private:
  int64_t vocab_;
};

PyObject* begin(PyObject* /*module*/, PyObject* vocab) {
  const auto size = PyLong_AsLongLong(vocab);
  if (PyErr_Occurred()) return nullptr;
  return seq2seq_kit::to_capsule(std::make_shared<CountingStep>(size));
}

PyObject* of_another_interface(PyObject* /*module*/, PyObject* /*none*/) {
  static int held = 0;
  return PyCapsule_New(&held, "seq2seq_kit.NativeStep, interface 0, torch 1.0", nullptr);
}

PyMethodDef methods[] = {{"begin", begin, METH_O, nullptr},
                         {"of_another_interface", of_another_interface, METH_NOARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};
PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "step_model", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_step_model() { return PyModule_Create(&definition); }
