// Options: every range, and an error that names the field.
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <string_view>

#include "check.h"
#include "seq2seq_kit/errors.h"
#include "seq2seq_kit/hypothesis.h"
#include "seq2seq_kit/search_options.h"

using namespace seq2seq_kit;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const double kNaN = std::nan("");

std::string message_of(const std::function<void()>& refused) {
  try {
    refused();
  } catch (const SearchError& error) {
    return error.what();
  }
  return "";
}

/// Whether `validate` refuses this value of a field, and names the field.
template <typename T>
bool refuses(const char* field, T SearchOptions::* member, const T& value, SearchOptions options = {}) {
  options.*member = value;
  const std::string message = message_of([&] { options.validate(); });
  return message.rfind(std::string("search option ") + field, 0) == 0;
}

template <typename T>
bool takes(T SearchOptions::* member, const T& value, SearchOptions options = {}) {
  options.*member = value;
  return message_of([&] { options.validate(); }).empty();
}

#define REFUSES(field, ...) CHECK(refuses(#field, &SearchOptions::field, decltype(SearchOptions::field)(__VA_ARGS__)))
#define TAKES(field, ...) CHECK(takes(&SearchOptions::field, decltype(SearchOptions::field)(__VA_ARGS__)))

void test_counts() {
  TAKES(beam_size, 1);
  REFUSES(beam_size, 0);
  REFUSES(beam_size, int64_t{1} << 17);
  TAKES(n_best, 5);
  REFUSES(n_best, 6);
  REFUSES(n_best, 0);
  TAKES(groups, 5);
  REFUSES(groups, 2);
  REFUSES(groups, 0);
  REFUSES(top_tokens, -1);
}

void test_tokens() {
  using Tokens = std::vector<int64_t>;
  REFUSES(bos_id, -1);
  REFUSES(unk_id, -1);
  TAKES(eos_ids, Tokens{});
  REFUSES(eos_ids, Tokens{3, -1});
  REFUSES(eos_ids, Tokens{3, 3});
  REFUSES(no_repeat_ngram_except, Tokens{-1});
  REFUSES(suppress, Tokens{2, -1});
  REFUSES(suppress_at_start, Tokens{-2});
  TAKES(forced_first, -1);
  REFUSES(forced_first, -2);
  REFUSES(forced_last, -2);
  REFUSES(bad_words, {{}});
  REFUSES(bad_words, {{5, -1}});
  REFUSES(sequence_bias, {{{}, 1.0}});
  REFUSES(sequence_bias, {{{5}, kInfinity}});
  REFUSES(sequence_bias, {{{5}, kNaN}});
  TAKES(sequence_bias, {{{5}, -kInfinity}});
}

void test_lengths() {
  REFUSES(max_length, 0);
  REFUSES(max_length, int64_t{1} << 40);
  REFUSES(min_length, 257);
  REFUSES(min_new_tokens, -1);
  REFUSES(max_new_tokens, -1);
  REFUSES(max_length_ratio, -1);
  REFUSES(max_length_margin, -1);
  REFUSES(length_decay_start, -1);
  REFUSES(length_decay_factor, 0);
  REFUSES(no_repeat_ngram, -1);
  REFUSES(no_repeat_ngram_source, -1);
}

void test_penalties() {
  REFUSES(length_penalty, -0.1);
  REFUSES(length_penalty, kNaN);
  SearchOptions hf;
  hf.semantics = Semantics::hf;
  CHECK(takes(&SearchOptions::length_penalty, -0.1, hf));
  REFUSES(length_penalty_offset, -1);
  TAKES(word_penalty, -1);
  REFUSES(word_penalty, kInfinity);
  REFUSES(brevity_penalty, -1);
  REFUSES(brevity_ratio, 0);
  REFUSES(coverage_penalty, -1);
  TAKES(unk_penalty, kInfinity);
  REFUSES(unk_penalty, kNaN);
  REFUSES(repetition_penalty, 0);
  REFUSES(repetition_penalty_source, kInfinity);
  REFUSES(prefix_bias, 1);
  REFUSES(diversity_penalty, -1);
  REFUSES(sibling_penalty, -1);
}

void test_sampling() {
  REFUSES(temperature, 0);
  REFUSES(temperature, kInfinity);
  REFUSES(top_h, 1.1);
  REFUSES(top_k, -1);
  REFUSES(top_p, 1.1);
  REFUSES(min_p, -0.1);
  REFUSES(typical_p, 0);
  REFUSES(epsilon, 1);
  REFUSES(eta, kNaN);
  REFUSES(seed, -2);
}

void test_stops() {
  REFUSES(patience, 0);
  REFUSES(max_seconds, -1);
  TAKES(stop, Stop::exact);
  REFUSES(stop, Stop::estimate);
  SearchOptions hf;
  hf.semantics = Semantics::hf;
  CHECK(takes(&SearchOptions::stop, Stop::longest, hf));
  CHECK(refuses("stop", &SearchOptions::stop, Stop::exact, hf));
  hf.stop = Stop::first;
  CHECK(message_of([&] { hf.validate(); }) ==
        "search option stop = 'first': semantics 'hf' knows 'default', 'estimate', 'enough', 'longest'");
}

void test_tokens_that_a_step_does_not_score() {
  constexpr int64_t kVocab = 10;
  const auto refused = [](const std::function<void(SearchOptions&)>& change) {
    SearchOptions options;
    change(options);
    return message_of([&] { options.validate_tokens(kVocab); });
  };
  CHECK(refused([](auto&) {}).empty());
  CHECK(refused([](auto& o) { o.bos_id = 10; }).empty());  // it is only fed
  CHECK(refused([](auto& o) { o.unk_id = 10; }).empty());
  CHECK(refused([](auto& o) { o.eos_ids = {10}; }) == "search option eos_ids = 10: the step scores only 10 tokens");
  CHECK(!refused([](auto& o) { o.suppress = {10}; }).empty());
  CHECK(!refused([](auto& o) { o.suppress_at_start = {10}; }).empty());
  CHECK(!refused([](auto& o) { o.bad_words = {{1, 10}}; }).empty());
  CHECK(!refused([](auto& o) { o.sequence_bias = {{{10}, 1.0}}; }).empty());
  CHECK(!refused([](auto& o) { o.forced_first = 10; }).empty());
  CHECK(!refused([](auto& o) { o.forced_last = 10; }).empty());
  CHECK(!refused([](auto& o) { o.unk_id = 10, o.unk_penalty = 1; }).empty());
}

/// An enumeration's names lead to its values and back.
template <typename Enum>
void check_names(Enum (*parse)(std::string_view), std::initializer_list<std::string_view> names) {
  int value = 0;
  for (const auto name : names) {
    CHECK(parse(name) == static_cast<Enum>(value++));
    CHECK(to_string(parse(name)) == name);
  }
  CHECK(!message_of([&] { parse("none such"); }).empty());
}

void test_names() {
  check_names(&parse_semantics, {"kit", "hf", "fairseq", "ct2", "opennmt", "marian", "sockeye", "joey"});
  check_names(&parse_numerics, {"reference", "fast"});
  check_names(&parse_stop, {"default", "exact", "enough", "first", "all", "estimate", "longest"});
  check_names(&parse_coverage, {"wu", "see"});
  check_names(&parse_sampling, {"off", "tokens", "beams"});
  check_names(&parse_rng, {"counter", "torch"});
  CHECK(to_string(Finish::deadline) == "deadline");
  CHECK(message_of([] { parse_numerics("quick"); }) ==
        "search option numerics = 'quick': must be one of 'reference', 'fast'");
}

}  // namespace

int main() {
  CHECK(message_of([] { SearchOptions().validate(); }).empty());
  test_counts();
  test_tokens();
  test_lengths();
  test_penalties();
  test_sampling();
  test_stops();
  test_tokens_that_a_step_does_not_score();
  test_names();
}
