// Bookkeeping: hypotheses as they were built, counted, stopped and returned.
#include <cmath>
#include <random>
#include <vector>

#include "check.h"
#include "core/beam.h"

using namespace seq2seq_kit;

namespace {

constexpr int64_t kEos = 2;

void test_backpointers() {
  SearchOptions options;
  options.beam_size = 2;
  options.n_best = 2;
  options.length_penalty = 0.5;
  Beam beam(options, options.limit(0));
  CHECK(beam.tokens()[0] == options.bos_id && beam.wanted() == 2);

  beam.advance(std::vector<Candidate>{{-1.0f, -1.0f, 0, 7}, {-2.0f, -2.0f, 0, 8}}, 10);
  beam.advance(std::vector<Candidate>{{-1.5f, -0.5f, 0, 5}, {-2.25f, -0.25f, 1, 6}}, 20);
  CHECK(beam.parents()[0] == 0 && beam.parents()[1] == 1);
  beam.advance(std::vector<Candidate>{{-2.5f, -0.25f, 1, kEos}, {-2.75f, -0.5f, 1, 9}}, 30);
  CHECK(beam.wanted() == 1 && beam.tokens().size() == 1 && beam.parents()[0] == 1 && !beam.done());
  beam.advance(std::vector<Candidate>{{-3.0f, -0.25f, 0, kEos}}, 40);
  CHECK(beam.done());

  const auto best = beam.hypotheses();
  CHECK(best.size() == 2);
  CHECK((best[0].tokens == std::vector<int64_t>{8, 6, kEos}));
  CHECK((best[0].rows == std::vector<int64_t>{10, 21, 31}));
  CHECK((best[0].token_log_probs == std::vector<float>{-2.0f, -0.25f, -0.25f}));
  CHECK(best[0].log_prob == -2.5f && best[0].score == -2.5 / std::pow(3.0, 0.5));
  CHECK((best[1].tokens == std::vector<int64_t>{8, 6, 9, kEos}));
  CHECK(best[1].score == -3.0 / std::pow(4.0, 0.5));
}

void test_stops_when_nothing_can_improve() {
  SearchOptions options;
  options.beam_size = 3;
  options.length_penalty = 0;
  Beam beam(options, options.limit(0));
  beam.advance(std::vector<Candidate>{{-1.0f, -1.0f, 0, kEos}, {-1.0f, -1.0f, 0, 5}, {-3.0f, -3.0f, 0, 6}}, 0);
  CHECK(beam.done());  // the best live sum only equals the finished score

  options.length_penalty = 1;  // a longer hypothesis may have the better mean
  Beam patient(options, options.limit(0));
  patient.advance(std::vector<Candidate>{{-1.0f, -1.0f, 0, kEos}, {-1.0f, -1.0f, 0, 5}, {-3.0f, -3.0f, 0, 6}}, 0);
  CHECK(!patient.done());
}

void test_no_way_on() {
  SearchOptions options;
  Beam beam(options, options.limit(0));
  beam.advance({}, 0);
  CHECK(beam.done() && beam.hypotheses().empty());
}

void test_allowed_tokens() {
  SearchOptions options;
  options.beam_size = 1;
  options.min_length = 1;
  options.max_length = 2;
  Beam beam(options, options.limit(0));
  CHECK(beam.allowed() == Allowed::all_but_eos);
  beam.advance(std::vector<Candidate>{{-1.0f, -1.0f, 0, 5}}, 0);
  CHECK(beam.allowed() == Allowed::all);
  beam.advance(std::vector<Candidate>{{-2.0f, -1.0f, 0, 5}}, 0);
  CHECK(beam.allowed() == Allowed::only_eos && !beam.done());
}

void test_without_an_end_symbol() {
  SearchOptions options;
  options.beam_size = 1;
  options.eos_ids = {};
  options.max_length = 2;
  Beam beam(options, options.limit(0));
  for (int step = 0; step < 2; ++step) {
    CHECK(!beam.done() && beam.allowed() == Allowed::all);
    beam.advance(std::vector<Candidate>{{-1.0f - step, -1.0f, 0, kEos}}, 0);
  }
  CHECK(beam.done() && beam.hypotheses()[0].tokens.size() == 2);
}

/// Random steps: whatever is returned is in order, within its limits, and its log-probabilities add up.
void test_random_searches() {
  std::mt19937 random_bits(3);
  const auto uniform = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random_bits);
  };
  for (int round = 0; round < 2000; ++round) {
    SearchOptions options;
    options.beam_size = uniform(1, 6);
    options.n_best = uniform(1, options.beam_size);
    options.max_length = uniform(1, 12);
    options.length_penalty = 0.25 * static_cast<double>(uniform(0, 6));
    Beam beam(options, options.max_length);
    for (int64_t step = 0; !beam.done(); ++step) {
      std::vector<Candidate> candidates;
      float sum = beam.sums()[0];
      for (int64_t i = uniform(1, beam.wanted()); i > 0; --i) {
        const auto slot = static_cast<int32_t>(uniform(0, static_cast<int64_t>(beam.sums().size()) - 1));
        sum -= 0.5f * static_cast<float>(uniform(0, 3));
        const float parent = beam.sums()[slot];
        if (sum > parent) sum = parent;
        const int64_t token = beam.allowed() == Allowed::only_eos || uniform(0, 3) == 0 ? kEos : uniform(3, 9);
        candidates.push_back({sum, sum - parent, slot, token});
      }
      beam.advance(candidates, step * 100);
    }
    const auto best = beam.hypotheses();
    CHECK(static_cast<int64_t>(best.size()) <= options.n_best);
    for (size_t i = 0; i < best.size(); ++i) {
      const auto length = best[i].tokens.size();
      CHECK(best[i].tokens.back() == kEos && static_cast<int64_t>(length) <= options.max_length + 1);
      CHECK(best[i].rows.size() == length && best[i].token_log_probs.size() == length);
      float sum = 0;
      for (const float log_prob : best[i].token_log_probs) sum += log_prob;
      CHECK(sum == best[i].log_prob);
      if (i > 0) CHECK(best[i - 1].score >= best[i].score);
    }
  }
}

}  // namespace

int main() {
  test_backpointers();
  test_stops_when_nothing_can_improve();
  test_no_way_on();
  test_allowed_tokens();
  test_without_an_end_symbol();
  test_random_searches();
}
