// Kit semantics: hypotheses as they were built, counted, stopped and returned.
#include <cmath>
#include <limits>
#include <vector>

#include "check.h"
#include "core/semantics/kit.h"
#include "random.h"

using namespace seq2seq_kit;

namespace {

constexpr int64_t kEos = 2;
const SentenceInput kSentence;

using Candidates = std::vector<Candidate>;

void test_backpointers() {
  SearchOptions options;
  options.beam_size = 2;
  options.n_best = 2;
  options.length_penalty = 0.5;
  KitBeam beam(options, kSentence);
  CHECK(beam.slots().size() == 1 && beam.slots()[0].token == options.bos_id && beam.slots()[0].sum == 0);
  CHECK(beam.wanted() == 2 && beam.length() == 0);

  beam.advance(Candidates{{-1.0f, -1.0f, 0, 7}, {-2.0f, -2.0f, 0, 8}}, 10);
  beam.advance(Candidates{{-1.5f, -0.5f, 0, 5}, {-2.25f, -0.25f, 1, 6}}, 20);
  CHECK(beam.slots()[0].parent == 0 && beam.slots()[1].parent == 1 && beam.length() == 2);
  const auto sequence = beam.view(1).sequence;
  CHECK((std::vector(sequence.begin(), sequence.end()) == std::vector<int64_t>{options.bos_id, 8, 6}));
  CHECK(beam.view(1).length() == 2 && beam.view(1).generated().front() == 8);

  beam.advance(Candidates{{-2.5f, -0.25f, 1, kEos}, {-2.75f, -0.5f, 1, 9}}, 30);
  CHECK(beam.wanted() == 1 && beam.slots().size() == 1 && beam.slots()[0].parent == 1 && !beam.done());
  CHECK(beam.hypotheses().size() == 1);
  const auto cut = beam.best_so_far(Finish::deadline);
  CHECK(cut.size() == 2 && cut[0].finish == Finish::eos && cut[1].finish == Finish::deadline);
  CHECK((cut[1].tokens == std::vector<int64_t>{8, 6, 9}) && cut[1].score == -2.75 / std::pow(3.0, 0.5));

  beam.advance(Candidates{{-3.0f, -0.25f, 0, kEos}}, 40);
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

/// One step whose best candidate ends.
Candidates one_ends(float first_sum) {
  return {{first_sum, first_sum, 0, kEos}, {-1.0f, -1.0f, 0, 5}, {-3.0f, -3.0f, 0, 6}};
}

bool done_after_one_end(const SearchOptions& options, float first_sum = -1.0f) {
  KitBeam beam(options, kSentence);
  beam.advance(one_ends(first_sum), 0);
  return beam.done();
}

void test_stop_rules() {
  SearchOptions options;
  options.beam_size = 3;
  options.length_penalty = 0;
  CHECK(done_after_one_end(options));  // the best live sum only equals the finished score
  CHECK(!done_after_one_end(options, -1.5f));
  options.word_penalty = -0.5;  // a reward: a longer one may be better
  CHECK(!done_after_one_end(options));
  options.word_penalty = 0.5;
  CHECK(done_after_one_end(options));
  options.word_penalty = 0;
  options.sequence_bias = {{{5}, 0.5}};  // sums may rise
  CHECK(!done_after_one_end(options));
  options.sequence_bias.clear();
  options.length_penalty = 1;  // a longer hypothesis may have the better mean
  CHECK(!done_after_one_end(options));
  options.stop = Stop::first;
  CHECK(done_after_one_end(options));
  options.stop = Stop::enough;
  CHECK(!done_after_one_end(options));
  options.patience = 0.4;  // round(3 * 0.4) = 1
  CHECK(done_after_one_end(options));
  options.stop = Stop::all;
  options.length_penalty = 0;
  CHECK(!done_after_one_end(options));
}

void test_no_way_on() {
  const SearchOptions options;
  KitBeam beam(options, kSentence);
  CHECK(beam.best_so_far(Finish::deadline).empty());
  beam.advance({}, 0);
  CHECK(beam.done() && beam.hypotheses().empty() && beam.best_so_far(Finish::deadline).empty());
}

void test_allowed_tokens() {
  SearchOptions options;
  options.beam_size = 1;
  options.min_length = 1;
  options.max_length = 2;
  KitBeam beam(options, kSentence);
  CHECK(beam.allowed() == Allowed::all_but_eos);
  beam.advance(Candidates{{-1.0f, -1.0f, 0, 5}}, 0);
  CHECK(beam.allowed() == Allowed::all);
  beam.advance(Candidates{{-2.0f, -1.0f, 0, 5}}, 0);
  CHECK(beam.allowed() == Allowed::only_eos && !beam.done());
  beam.advance(Candidates{{-3.0f, -1.0f, 0, kEos}}, 0);
  CHECK(beam.done() && beam.hypotheses()[0].finish == Finish::length);
}

void test_new_tokens_count_after_the_prefix() {
  SearchOptions options;
  options.min_new_tokens = 1;
  options.max_new_tokens = 2;
  SentenceInput sentence;
  sentence.prefix = {5};
  KitBeam beam(options, sentence);
  CHECK(beam.limit() == 3);
  for (const Allowed allowed : {Allowed::all_but_eos, Allowed::all_but_eos, Allowed::all, Allowed::only_eos}) {
    CHECK(beam.allowed() == allowed);
    beam.advance(Candidates{{-1.0f, -1.0f, 0, 5}}, 0);
  }
}

void test_without_an_end_symbol() {
  SearchOptions options;
  options.beam_size = 1;
  options.eos_ids = {};
  options.max_length = 2;
  KitBeam beam(options, kSentence);
  for (int step = 0; step < 2; ++step) {
    CHECK(!beam.done() && beam.allowed() == Allowed::all);
    beam.advance(Candidates{{-1.0f - static_cast<float>(step), -1.0f, 0, kEos}}, 0);
  }
  CHECK(beam.done() && beam.hypotheses()[0].tokens.size() == 2 && beam.hypotheses()[0].finish == Finish::length);
}

void test_an_automaton_goes_along() {
  Automaton automaton;
  automaton.arcs = {{{5, 1}}, {{6, 2}}, {}};
  automaton.accepting = {2};
  SentenceInput sentence;
  sentence.automaton = std::make_shared<const Automaton>(automaton);
  const SearchOptions options;
  KitBeam beam(options, sentence);
  CHECK(beam.view(0).automaton_state == 0);
  for (const int64_t token : {5, 6}) {
    beam.advance(Candidates{{-1.0f, -1.0f, 0, token}}, 0);
    CHECK(beam.view(0).automaton_state == token - 4);
  }
}

/// Random steps: whatever is returned is in order, within its limits, and its log-probabilities add up.
void test_random_searches() {
  Random draw(3);
  for (int round = 0; round < 2000; ++round) {
    SearchOptions options;
    options.beam_size = draw.uniform(1, 6);
    options.n_best = draw.uniform(1, options.beam_size);
    options.max_length = draw.uniform(1, 12);
    options.length_penalty = 0.25 * static_cast<double>(draw.uniform(0, 6));
    options.word_penalty = 0.25 * static_cast<double>(draw.uniform(-1, 1));
    const Stop stops[] = {Stop::automatic, Stop::exact, Stop::enough, Stop::first, Stop::all};
    options.stop = stops[draw.uniform(0, 4)];
    KitBeam beam(options, kSentence);
    for (int64_t step = 0; !beam.done(); ++step) {
      Candidates candidates;
      float sum = std::numeric_limits<float>::infinity();
      for (int64_t i = draw.uniform(1, beam.wanted()); i > 0; --i) {
        const int64_t slot = draw.uniform(0, static_cast<int64_t>(beam.slots().size()) - 1);
        const float parent = beam.slots()[slot].sum;
        sum = std::min(sum - 0.5f * static_cast<float>(draw.uniform(0, 3)), parent);
        const int64_t token = beam.allowed() == Allowed::only_eos || draw.chance(0.25) ? kEos : draw.uniform(3, 9);
        candidates.push_back({sum, sum - parent, static_cast<int32_t>(slot), token});
      }
      beam.advance(candidates, step * 100);
      CHECK(beam.length() == step + 1 && step <= options.max_length);
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
  test_stop_rules();
  test_no_way_on();
  test_allowed_tokens();
  test_new_tokens_count_after_the_prefix();
  test_without_an_end_symbol();
  test_an_automaton_goes_along();
  test_random_searches();
}
