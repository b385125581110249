// What a search is told about a sentence: its limit, and an error that names the field.
#include <functional>
#include <limits>
#include <memory>
#include <string>

#include "check.h"
#include "seq2seq_kit/errors.h"
#include "seq2seq_kit/sentence_input.h"

using namespace seq2seq_kit;

namespace {

std::string refusal(const std::function<void(SentenceInput&)>& change) {
  SentenceInput sentence;
  change(sentence);
  try {
    sentence.validate();
  } catch (const SearchError& error) {
    return error.what();
  }
  return "";
}

std::string refusal(const Automaton& automaton) {
  return refusal([&](auto& s) { s.automaton = std::make_shared<const Automaton>(automaton); });
}

void test_fields() {
  CHECK(refusal([](auto&) {}).empty());
  CHECK(refusal([](auto& s) { s.source_length = -1; }).rfind("source_length = -1", 0) == 0);
  CHECK(refusal([](auto& s) { s.source = {1, -2}; }).rfind("source = -2", 0) == 0);
  CHECK(refusal([](auto& s) { s.prefix = {-1}; }).rfind("prefix = -1", 0) == 0);
  CHECK(refusal([](auto& s) { s.banned = {{}}; }).rfind("banned", 0) == 0);
  CHECK(refusal([](auto& s) { s.constraints = {{{1}}, {}}; }).rfind("constraints", 0) == 0);
  CHECK(refusal([](auto& s) { s.constraints = {{{1}, {}}}; }).rfind("constraints", 0) == 0);
}

void test_automata() {
  CHECK(refusal(Automaton{{{{5, 1}}, {}}, {1}}).empty());
  CHECK(refusal(Automaton{}) == "automaton: there is no state");
  CHECK(refusal(Automaton{{{{5, 1}}}, {0}}) == "automaton: an arc leads to state 1, but there are 1 states");
  CHECK(refusal(Automaton{{{}}, {-1}}) == "automaton: accepting has state -1, but there are 1 states");
}

void test_length_limit() {
  SearchOptions options;
  options.max_length = 20;
  const auto limit = [&](int64_t source_length, std::vector<int64_t> prefix = {}) {
    SentenceInput sentence;
    sentence.source_length = source_length;
    sentence.prefix = std::move(prefix);
    return length_limit(options, sentence);
  };
  CHECK(limit(0) == 20);
  options.max_length_ratio = 1.5;
  options.max_length_margin = 2;
  CHECK(limit(3) == 6);
  CHECK(limit(100) == 20);
  options.max_new_tokens = 3;
  CHECK(limit(3) == 3 && limit(3, {7, 7}) == 5 && limit(3, {7, 7, 7, 7}) == 6);
  options.max_new_tokens = 0;
  options.max_length_margin = 0;
  CHECK(limit(0) == 1);
  options.max_length_ratio = std::numeric_limits<double>::max();
  CHECK(limit(1000) == 20);
}

}  // namespace

int main() {
  test_fields();
  test_automata();
  test_length_limit();
}
