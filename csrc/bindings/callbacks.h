// What a caller hands to a search, as the engine calls it: each takes the GIL for its call alone, and what it raises
// comes out as it is. Made and destroyed with the GIL held.
#pragma once

#include <pybind11/pybind11.h>

#include "torch/search.h"

namespace seq2seq_kit {

/// From a `seq2seq_kit.decoding.processors.StartedProcessor`.
std::unique_ptr<ScoreProcessor> read_processor(const pybind11::handle& processor);

/// `stop(tokens [B, K, 1 + t], sums [B, K]) -> bool [B, K]`.
std::function<at::Tensor(const at::Tensor&, const at::Tensor&)> read_stop(const pybind11::object& stop);

/// `on_tokens(sentence, tokens)`.
std::function<void(int64_t, const std::vector<int64_t>&)> read_on_tokens(const pybind11::object& on_tokens);

/// `record(enqueue) -> replay | None`, both called without arguments.
std::function<std::function<void()>(const std::function<void()>&)> read_record(const pybind11::object& record);

}  // namespace seq2seq_kit
