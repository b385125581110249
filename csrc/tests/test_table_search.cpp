// Whole searches by the rules of every semantics and method, from random bytes as a fuzzer would give them: what holds
// for all of them, and the same results on every instruction set.
#include <cstdio>

#include "check.h"
#include "core/kernels/isa.h"
#include "fuzz/invariants.h"
#include "fuzz/search_case.h"
#include "random.h"

using namespace seq2seq_kit;
using kernels::Isa;

namespace {

bool equal(const std::vector<Hypothesis>& a, const std::vector<Hypothesis>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Hypothesis& x, const Hypothesis& y) {
    return x.tokens == y.tokens && x.token_log_probs == y.token_log_probs && x.rows == y.rows && x.score == y.score &&
           x.log_prob == y.log_prob && x.finish == y.finish;
  });
}

}  // namespace

int main() {
  Random draw(7);
  int searched = 0, found = 0;
  for (int round = 0; round < 3000; ++round) {
    std::vector<uint8_t> bytes(draw.uniform(0, 200));
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(draw.uniform(0, 255));
    const SearchCase c = read_search_case(Bytes(bytes));
    kernels::use_isa(kernels::best_isa());
    const auto best = checked_search(c.options, c.sentence, c.table);
    kernels::use_isa(Isa::portable);
    const auto again = checked_search(c.options, c.sentence, c.table);
    CHECK(best.has_value() == again.has_value());
    if (!best) continue;
    CHECK(equal(*best, *again));
    ++searched;
    found += best->empty() ? 0 : 1;
  }
  std::printf("%d searches, %d with a result\n", searched, found);
  CHECK(searched > 1500 && found > 1000);  // else the checks say little
}
