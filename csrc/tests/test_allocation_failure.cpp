// Wherever an allocation fails in a search or a step, std::bad_alloc comes out, and the next search is as ever.
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <vector>

#include "check.h"
#include "core/parallel.h"
#include "core/team.h"
#include "core/transformer/decoder.h"
#include "random.h"
#include "table_search.h"
#include "tiny_transformer.h"

namespace {

std::atomic<int64_t> before_failure = -1;  // allocations that succeed before one fails; below 0: none does

void* allocate(std::size_t size, std::size_t alignment) {
  if (before_failure.load() >= 0 && before_failure.fetch_sub(1) == 0) throw std::bad_alloc();
  void* const memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment + alignment);
  if (!memory) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__); }
void* operator new[](std::size_t size) { return allocate(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__); }
void* operator new(std::size_t size, std::align_val_t alignment) { return allocate(size, std::size_t(alignment)); }
void* operator new[](std::size_t size, std::align_val_t alignment) { return allocate(size, std::size_t(alignment)); }
// std::stable_sort asks so for its buffer.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return operator new(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

using namespace seq2seq_kit;
using namespace seq2seq_kit::transformer::testing;

namespace {

/// What a search or a decoder came to.
using Numbers = std::vector<float>;

/// Lets the first allocation of `work` fail, the second, and so on to the last. Returns how many there are.
template <typename Work>
int64_t fail_everywhere(const Work& work) {
  const Numbers expected = work();
  for (int64_t place = 0;; ++place) {
    std::optional<Numbers> found;
    before_failure = place;
    try {
      found = work();
    } catch (const std::bad_alloc&) {
    }
    const bool failed = before_failure.exchange(-1) < 0;
    CHECK(found.has_value() || failed);
    CHECK(!found || *found == expected);  // std::stable_sort does without, and so are threads that cannot be started
    CHECK(work() == expected);
    if (!failed) return place;
  }
}

Numbers searched(const SearchOptions& options, const SentenceInput& sentence) {
  Random random(3);
  const ScoreTable table{31, 40, RowKind::logits, random.row(31 * 40, false, 0.1), 3};
  const auto found = table_search(options, sentence, table);
  Numbers numbers;
  for (const Hypothesis& hypothesis : *found) {
    numbers.insert(numbers.end(), hypothesis.tokens.begin(), hypothesis.tokens.end());
    numbers.push_back(static_cast<float>(hypothesis.score));
  }
  return numbers;
}

void test_searches() {
  SearchOptions plain, options;
  plain.max_length = options.max_length = 8;
  plain.n_best = options.n_best = 5;
  options.no_repeat_ngram = 2;
  options.bad_words = {{5}, {6, 7}};
  options.top_tokens = 3;
  options.coverage_penalty = 0.2;
  SearchOptions samples = plain;
  samples.sampling = Sampling::tokens;
  samples.seed = 1;
  samples.top_p = 0.9;
  SentenceInput bare, sentence;
  bare.source_length = sentence.source_length = 3;
  sentence.prefix = {9};
  sentence.constraints = {{{4, 8}}};
  CHECK(fail_everywhere([&] { return searched(plain, bare); }) > 20);
  CHECK(fail_everywhere([&] { return searched(options, bare); }) > 20);
  CHECK(fail_everywhere([&] { return searched(plain, sentence); }) > 20);
  CHECK(fail_everywhere([&] { return searched(samples, bare); }) > 20);
}

/// Some steps of a batch, in which sentences leave and hypotheses are reordered.
Numbers decoded(const std::shared_ptr<transformer::Weights>& weights, int64_t batch, int64_t threads) {
  std::vector<int64_t> sentences(batch);
  for (int64_t b = 0; b < batch; ++b) sentences[b] = b % 7;
  transformer::Decoder decoder(weights, source_of(*weights, sentences, 3));
  decoder.start(batch);
  std::vector<int64_t> tokens(batch, 1);
  Numbers numbers;
  for (int64_t step = 0; step < 4; ++step) {
    const auto rows = static_cast<int64_t>(tokens.size());
    Numbers scores(rows * 2), log_sums(rows);
    std::vector<int64_t> best(rows * 2);
    decoder.step_top(tokens, threads, {2, scores.data(), best.data(), log_sums.data(), {}, nullptr}, nullptr);
    numbers.insert(numbers.end(), scores.begin(), scores.end());
    std::vector<int64_t> survivors, parents;
    tokens.clear();
    const int64_t beams = rows / batch;
    for (int64_t b = 0; b < batch - 1; ++b) {
      survivors.push_back(b);
      for (int64_t k = 0; k < 2; ++k) {
        parents.push_back(b * beams);
        tokens.push_back(best[b * beams * 2 + k]);
      }
    }
    decoder.select(survivors, parents, 2);
    --batch;
  }
  return numbers;
}

void test_decoders(Precision precision) {
  const auto shared = weights(true, precision);
  CHECK(fail_everywhere([&] { return decoded(shared, 5, 1); }) > 20);
  CHECK(fail_everywhere([&] { return decoded(shared, 60, 3); }) > 20);
}

/// Work that allocates, shared out in both ways: to `threads` of the pool, or of a team.
Numbers shared(int64_t threads, bool by_team) {
  Numbers numbers(50);
  const auto work = [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) numbers[i] = *std::make_unique<float>(static_cast<float>(i));
  };
  if (by_team) {
    const Leader leader(threads);
    together(50, work);
  } else {
    parallel_for(50, threads, work);
  }
  return numbers;
}

void test_shared_work(bool by_team) {
  const Numbers expected = shared(1, by_team);
  fail_everywhere([&] { return shared(3, by_team); });
  for (int64_t place = 0; place < 8; ++place) {  // among them the starts of threads
    before_failure = place;
    try {
      CHECK(shared(4 + place, by_team) == expected);
    } catch (const std::bad_alloc&) {
    }
    before_failure = -1;
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    CHECK(!sigismember(&blocked, SIGINT));  // they are, while a thread is started
    CHECK(shared(4 + place, by_team) == expected);
  }
}

}  // namespace

int main() {
  for (const bool by_team : {false, true}) test_shared_work(by_team);
  test_searches();
  for (const Precision precision : {Precision::fp32, Precision::int8}) test_decoders(precision);
}
