#include "torch/check.h"

#include <algorithm>
#include <cctype>

#include "seq2seq_kit/errors.h"

namespace seq2seq_kit {
namespace {

std::string describe(at::ScalarType type) {
  std::string name = c10::toString(type);  // "Float", "Long"
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

void check_device(const std::string& what, const at::Tensor& tensor, at::Device device) {
  if (tensor.device() == device) return;
  throw SearchError(what + " is on device " + tensor.device().str() + ", expected " + device.str() +
                    ", the device of the decoder state");
}

void check_shape(const std::string& what, const at::Tensor& tensor, at::IntArrayRef expected, const char* names) {
  if (tensor.sizes() == expected) return;
  throw SearchError(what + " has shape " + to_string(tensor.sizes()) + ", expected " + to_string(expected) + " = " +
                    names);
}

void check_leading(const std::string& what, const at::Tensor& tensor, const std::vector<int64_t>& expected,
                   const char* names) {
  const auto sizes = tensor.sizes();
  if (sizes.size() >= expected.size() && std::equal(expected.begin(), expected.end(), sizes.begin())) return;
  std::string begins = to_string(expected);
  begins.back() = ',';
  throw SearchError(what + " has shape " + to_string(sizes) + ", expected " + begins + " ...] = " + names);
}

std::string name_list(const NamedTensors& tensors) {
  std::string list;
  for (const auto& [name, tensor] : tensors) list += (list.empty() ? "'" : ", '") + name + "'";
  return list.empty() ? "none" : list;
}

/// `given` with the names of `state`, in its order.
NamedTensors in_order(const std::string& field, const NamedTensors& given, const NamedTensors& state) {
  NamedTensors ordered;
  for (const auto& entry : state) {
    const std::string& wanted = entry.first;
    const auto found =
        std::find_if(given.begin(), given.end(), [&](const auto& candidate) { return candidate.first == wanted; });
    if (found != given.end()) ordered.push_back(*found);
  }
  if (ordered.size() != state.size() || given.size() != state.size()) {
    throw SearchError("the step returned " + field + " " + name_list(given) + ", but the decoder state has " +
                      name_list(state));
  }
  return ordered;
}

void check_like(const std::string& what, const at::Tensor& tensor, const at::Tensor& state,
                const std::vector<int64_t>& shape, const char* names) {
  check_shape(what, tensor, shape, names);
  check_device(what, tensor, state.device());
  if (tensor.scalar_type() != state.scalar_type()) {
    throw SearchError(what + " has dtype " + describe(tensor.scalar_type()) + ", expected " +
                      describe(state.scalar_type()) + " as in the decoder state");
  }
}

}  // namespace

void check_initial_state(const DecoderState& state, int64_t batch, at::Device device) {
  for (const auto& [name, tensor] : state.rows) {
    check_leading("state.rows['" + name + "']", tensor, {batch, 1}, "[B, K = 1, ...]");
    check_device("state.rows['" + name + "']", tensor, device);
  }
  for (const auto& [name, tensor] : state.history) {
    const std::string what = "state.history['" + name + "']";
    if (tensor.dim() < 3) check_leading(what, tensor, {batch, 1, 0}, "[B, K = 1, t, ...]");
    const int64_t past = state.history.front().second.size(2);
    check_leading(what, tensor, {batch, 1, past}, "[B, K = 1, t, ...]");
    check_device(what, tensor, device);
  }
  for (const auto& [name, tensor] : state.sentences) {
    check_leading("state.sentences['" + name + "']", tensor, {batch}, "[B, ...]");
    check_device("state.sentences['" + name + "']", tensor, device);
  }
}

void check_scores(const StepScores& output, int64_t batch, int64_t beams, at::Device device) {
  const at::Tensor& scores = output.scores;
  if (!scores.is_floating_point()) {
    throw SearchError("the step's scores have dtype " + describe(scores.scalar_type()) + ", expected a floating type");
  }
  if (scores.dim() != 3) {
    throw SearchError("the step's scores have shape " + to_string(scores.sizes()) +
                      ", expected [B, K, V] with B = " + std::to_string(batch) + " and K = " + std::to_string(beams));
  }
  check_leading("the step's scores tensor", scores, {batch, beams}, "[B, K, V]");
  if (scores.size(2) < 1) throw SearchError("the step's scores have no token: shape " + to_string(scores.sizes()));
  check_device("the step's scores tensor", scores, device);
  if (output.attention.defined()) {
    if (output.attention.dim() != 3) {
      throw SearchError("the step's attention has shape " + to_string(output.attention.sizes()) +
                        ", expected [B, K, S]");
    }
    check_leading("the step's attention", output.attention, {batch, beams}, "[B, K, S]");
  }
}

void check_rows(NamedTensors& rows, const NamedTensors& state) {
  rows = in_order("rows", rows, state);
  for (size_t i = 0; i < rows.size(); ++i) {
    const at::Tensor& before = state[i].second;
    check_like("the step's rows['" + rows[i].first + "']", rows[i].second, before, before.sizes().vec(),
               "[B, K, ...] as in the decoder state");
  }
}

void check_new_history(NamedTensors& slices, const NamedTensors& state) {
  slices = in_order("new_history", slices, state);
  for (size_t i = 0; i < slices.size(); ++i) {
    auto shape = state[i].second.sizes().vec();
    shape[2] = 1;
    check_like("the step's new_history['" + slices[i].first + "']", slices[i].second, state[i].second, shape,
               "[B, K, 1, ...], the new position alone");
  }
}

}  // namespace seq2seq_kit
