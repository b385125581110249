// Options: every range, and an error that names the field.
#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "check.h"
#include "seq2seq_kit/errors.h"
#include "seq2seq_kit/search_options.h"

using namespace seq2seq_kit;

namespace {

std::string refusal(const std::function<void(SearchOptions&)>& change) {
  SearchOptions options;
  change(options);
  try {
    options.validate();
  } catch (const SearchError& error) {
    return error.what();
  }
  return "";
}

bool names(const std::string& message, const std::string& field) {
  return message.rfind("search option " + field + " = ", 0) == 0;
}

void test_ranges() {
  CHECK(refusal([](SearchOptions&) {}).empty());
  CHECK(names(refusal([](auto& o) { o.beam_size = 0; }), "beam_size"));
  CHECK(names(refusal([](auto& o) { o.n_best = 6; }), "n_best"));
  CHECK(names(refusal([](auto& o) { o.n_best = 0; }), "n_best"));
  CHECK(names(refusal([](auto& o) { o.length_penalty = -0.1; }), "length_penalty"));
  CHECK(names(refusal([](auto& o) { o.length_penalty = std::nan(""); }), "length_penalty"));
  CHECK(names(refusal([](auto& o) { o.max_length = 0; }), "max_length"));
  CHECK(names(refusal([](auto& o) { o.max_length = int64_t{1} << 40; }), "max_length"));
  CHECK(names(refusal([](auto& o) { o.min_length = 257; }), "min_length"));
  CHECK(names(refusal([](auto& o) { o.max_length_ratio = -1; }), "max_length_ratio"));
  CHECK(names(refusal([](auto& o) { o.max_length_margin = -1; }), "max_length_margin"));
  CHECK(names(refusal([](auto& o) { o.bos_id = -1; }), "bos_id"));
  CHECK(names(refusal([](auto& o) { o.eos_ids = {3, -1}; }), "eos_ids"));
  CHECK(names(refusal([](auto& o) { o.eos_ids = {3, 3}; }), "eos_ids"));
}

void test_limit() {
  SearchOptions options;
  options.max_length = 20;
  CHECK(options.limit(0) == 20);
  options.max_length_ratio = 1.5;
  options.max_length_margin = 2;
  CHECK(options.limit(3) == 6);
  CHECK(options.limit(100) == 20);
  options.max_length_margin = 0;
  CHECK(options.limit(0) == 1);
  options.max_length_ratio = std::numeric_limits<double>::max();
  CHECK(options.limit(1000) == 20);
}

void test_names() {
  CHECK(parse_numerics("reference") == Numerics::reference && to_string(Numerics::fast) == "fast");
  CHECK(parse_semantics("kit") == Semantics::kit && to_string(Semantics::kit) == "kit");
  try {
    parse_numerics("quick");
    CHECK(false);
  } catch (const SearchError& error) {
    CHECK(std::string(error.what()) == "search option numerics = 'quick': must be one of 'reference', 'fast'");
  }
}

}  // namespace

int main() {
  test_ranges();
  test_limit();
  test_names();
}
