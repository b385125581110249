#pragma once

#include <stdexcept>

namespace seq2seq_kit {

/// Unusable options, or a step that breaks the step contract. The message is a sentence for the user
/// (`seq2seq_kit.errors.SearchError` in Python).
class SearchError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The caller ended the search (`seq2seq_kit.errors.SearchCancelled` in Python).
class SearchCancelled : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace seq2seq_kit
