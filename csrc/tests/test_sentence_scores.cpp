// Selection against sorting whole rows: with ties, -inf and NaN, temperatures, and all that may be edited.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>
#include <vector>

#include "check.h"
#include "core/kernels/row.h"
#include "core/sentence_scores.h"
#include "random.h"

using namespace seq2seq_kit;

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
Random draw(1);

/// A beam with given sums and a given mood.
class FixedBeam : public Beam {
 public:
  FixedBeam(const SearchOptions& options, const SentenceInput& sentence, const std::vector<float>& sums,
            Allowed allowed)
      : Beam(options, sentence), allowed_(allowed) {
    std::vector<Candidate> candidates;
    for (const float sum : sums) candidates.push_back({sum, sum, 0, 5});
    advance(candidates, 0);
  }

  int64_t wanted() const override { return 0; }
  void advance(std::span<const Candidate> candidates, int64_t first_row) override {
    begin(first_row);
    for (const Candidate& candidate : candidates) keep(candidate, record(candidate));
    end();
  }
  Allowed allowed() const override { return allowed_; }
  bool done() const override { return false; }
  std::vector<Hypothesis> hypotheses() const override { return {}; }

 private:
  Allowed allowed_;
};

/// Rows as they are meant: dense, normalised, edited one score at a time.
using Rows = std::vector<std::vector<float>>;

Rows normalised(const RawScores& raw, int64_t slots) {
  Rows rows(slots);
  for (int64_t slot = 0; slot < slots; ++slot) {
    rows[slot].assign(raw.rows + slot * raw.vocab, raw.rows + (slot + 1) * raw.vocab);
    const float max = *std::max_element(rows[slot].begin(), rows[slot].end());
    if (raw.kind != RowKind::logits || max == kImpossible) continue;
    const float scale = 1.0f / raw.temperature;
    const float log_sum = kernels::log_sum_exp(raw.rows + slot * raw.vocab, raw.vocab, max, scale);
    for (float& x : rows[slot]) x = (x - max) * scale - log_sum;
  }
  return rows;
}

/// The candidates of the slots [first, last), sorted.
std::vector<Candidate> by_sorting(const Rows& rows, const std::vector<float>& sums, int64_t wanted, int64_t first,
                                  int64_t last) {
  std::vector<Candidate> all;
  for (int64_t slot = first; slot < last; ++slot) {
    for (size_t token = 0; token < rows[slot].size(); ++token) {
      const float log_prob = rows[slot][token], total = sums[slot] + log_prob;
      if (total > kImpossible)
        all.push_back({total, log_prob, static_cast<int32_t>(slot), static_cast<int64_t>(token)});
    }
  }
  std::sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
    return std::tuple(-a.score, a.slot, a.token) < std::tuple(-b.score, b.slot, b.token);
  });
  all.resize(std::min<size_t>(all.size(), wanted));
  return all;
}

void check_equal(std::span<const Candidate> found, const std::vector<Candidate>& expected) {
  CHECK(found.size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK(found[i].score == expected[i].score && found[i].log_prob == expected[i].log_prob);
    CHECK(found[i].slot == expected[i].slot && found[i].token == expected[i].token);
  }
}

std::vector<int64_t> random_tokens(int64_t vocab, double chance) {
  std::vector<int64_t> tokens;
  for (int64_t token = 0; token < vocab; ++token) {
    if (draw.chance(chance)) tokens.push_back(token);
  }
  return tokens;
}

/// The same random edit of a dense row and a sparse one; tokens out of range are passed over.
void edit(std::vector<float>& dense, ScoreRow sparse, bool ties) {
  const auto vocab = static_cast<int64_t>(dense.size());
  for (int64_t edits = draw.uniform(0, 6); edits > 0; --edits) {
    const int64_t token = draw.uniform(-1, vocab);
    const bool inside = token >= 0 && token < vocab;
    CHECK(sparse.get(token) == (inside ? dense[token] : kImpossible));
    const float score = draw.row(1, ties, 0.2)[0];
    switch (draw.uniform(0, 9)) {
      case 0: {  // all but some
        const auto tokens = random_tokens(vocab, 0.1);
        std::vector<float> kept(vocab, kImpossible);
        for (const int64_t each : tokens) kept[each] = dense[each];
        dense = kept;
        sparse.only(tokens);
        break;
      }
      case 1:
        std::fill(dense.begin(), dense.end(), kImpossible);
        if (inside) dense[token] = score;
        sparse.force(token, score);
        break;
      case 2:
      case 3:
        if (inside) dense[token] = kImpossible;
        sparse.ban(token);
        break;
      case 4:
        if (inside) dense[token] -= 1;
        sparse.set(token, sparse.get(token) - 1);
        break;
      default:
        if (inside) dense[token] = score;
        sparse.set(token, score);
    }
  }
}

void test_best_against_sorting() {
  SentenceScores scores;  // one for all: nothing of the last sentence may stay
  for (int round = 0; round < 1000; ++round) {
    const int64_t live = draw.uniform(1, 6), vocab = draw.uniform(1, draw.chance(0.3) ? 1500 : 300);
    const bool ties = draw.chance(0.5);
    SearchOptions options;
    options.eos_ids = random_tokens(vocab, 0.03);
    const auto raw_rows = draw.row(live * vocab, ties, static_cast<double>(draw.uniform(0, 2)) * 0.45);
    auto sums = draw.row(live, ties, 0);
    if (draw.chance(0.8)) std::sort(sums.rbegin(), sums.rend());  // groups' slots are not in order
    const FixedBeam beam(options, {}, sums, static_cast<Allowed>(draw.uniform(0, 2)));

    const RawScores raw{raw_rows.data(), vocab, draw.chance(0.5) ? RowKind::logits : RowKind::as_is,
                        draw.chance(0.5) ? 1.0f : 0.7f};
    CHECK(scores.read(raw, beam) == RowFault::none);
    CHECK(scores.slots() == live && scores.vocab() == vocab);
    scores.process(beam, {});
    Rows rows = normalised(raw, live);
    for (auto& row : rows) {
      for (int64_t token = 0; token < vocab; ++token) {
        const bool is_eos = options.is_eos(token);
        if (beam.allowed() == Allowed::only_eos ? !is_eos : beam.allowed() == Allowed::all_but_eos && is_eos) {
          row[token] = kImpossible;
        }
      }
    }
    for (int64_t slot = 0; slot < live; ++slot) edit(rows[slot], scores.row(slot), ties);

    const int64_t wanted = draw.uniform(0, 12);
    check_equal(scores.best(wanted), by_sorting(rows, sums, wanted, 0, live));
    const int64_t first = draw.uniform(0, live - 1), last = draw.uniform(first, live);
    check_equal(scores.best(wanted, first, last), by_sorting(rows, sums, wanted, first, last));
    for (int64_t slot = 0; slot < live; ++slot) {
      std::vector<float> out(vocab, kNaN);
      scores.write(slot, out.data());
      CHECK(out == rows[slot]);
    }
  }
}

void test_faults() {
  const SearchOptions options;
  const SentenceInput sentence;
  const FixedBeam beam(options, sentence, {0.0f, -1.0f}, Allowed::all);
  SentenceScores scores;
  constexpr int64_t kVocab = 70;
  for (const RowKind kind : {RowKind::logits, RowKind::log_probs, RowKind::as_is}) {
    for (int64_t place = 0; place < 2 * kVocab; place += 23) {
      std::vector<float> rows(2 * kVocab, -3.0f);
      const auto fault = [&](float score) {
        rows[place] = score;
        return scores.read({rows.data(), kVocab, kind}, beam);
      };
      CHECK(fault(kImpossible) == RowFault::none);
      CHECK(fault(kNaN) == RowFault::not_finite);
      CHECK(fault(-kImpossible) == RowFault::not_finite);
      CHECK(fault(0.5f) == (kind == RowKind::log_probs ? RowFault::above_zero : RowFault::none));
      CHECK(fault(kRounding) == RowFault::none);  // rounding may raise a log-probability so far
    }
  }
}

void test_dead_rows_give_nothing() {
  const SearchOptions options;
  const SentenceInput sentence;
  const FixedBeam beam(options, sentence, {-1.0f, -2.0f}, Allowed::all);
  SentenceScores scores;
  std::vector<float> rows(20, kImpossible);
  for (const RowKind kind : {RowKind::logits, RowKind::log_probs, RowKind::as_is}) {
    CHECK(scores.read({rows.data(), 10, kind}, beam) == RowFault::none);
    CHECK(scores.best(5).empty());
    scores.row(1).set(3, -0.5f);  // what an edit revives
    CHECK(scores.best(5).size() == 1 && scores.best(5)[0].score == -2.5f && scores.best(5)[0].slot == 1);
  }
}

}  // namespace

int main() {
  test_best_against_sorting();
  test_faults();
  test_dead_rows_give_nothing();
}
