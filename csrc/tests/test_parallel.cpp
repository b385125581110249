// The worker pool: every index once, exceptions carried over, calls from many threads, inside calls and after a fork;
// whole searches side by side give what they give alone.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "check.h"
#include "core/parallel.h"
#include "fuzz/search_case.h"
#include "random.h"
#include "seq2seq_kit/errors.h"
#include "table_search.h"

using namespace seq2seq_kit;

namespace {

/// Counts in plain integers: a thread sanitizer sees two threads at one, and the caller reading too early.
void check_each_index_once(int64_t count, int64_t blocks) {
  std::vector<int> calls(count), taken(std::max<int64_t>(blocks, 1));
  parallel_for(count, blocks, [&](int64_t block, int64_t begin, int64_t end) {
    CHECK(begin < end);
    ++taken[block];
    for (int64_t i = begin; i < end; ++i) ++calls[i];
  });
  for (const int n : calls) CHECK(n == (blocks > 0 ? 1 : 0));
  for (const int n : taken) CHECK(n <= 1);
}

void test_every_index_once() {
  for (const int64_t count : {0, 1, 2, 7, 1000}) {
    for (const int64_t blocks : {0, 1, 2, 3, 8}) check_each_index_once(count, blocks);
  }
}

void test_the_lowest_exception_comes_out() {
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> ran = 0;
    try {
      parallel_for(4, 4, [&](int64_t block, int64_t, int64_t) {
        ++ran;
        if (block > 0) throw std::runtime_error(std::to_string(block));
      });
      CHECK(false);
    } catch (const std::runtime_error& error) {
      CHECK(std::string(error.what()) == "1" && ran == 4);
    }
  }
}

void test_calls_inside_calls() {
  std::vector<std::vector<int>> calls(4, std::vector<int>(10));
  parallel_for(4, 4, [&](int64_t block, int64_t, int64_t) {
    parallel_for(10, 3, [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) ++calls[block][i];
    });
  });
  for (const auto& each : calls) CHECK(each == std::vector<int>(10, 1));
}

void test_calls_from_many_threads() {
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([] {
      for (int round = 0; round < 30; ++round) check_each_index_once(50, 1 + round % 4);
    });
  }
  for (auto& thread : threads) thread.join();
}

#if !defined(__SANITIZE_THREAD__)  // TSan does not follow threads that are started after a fork
void test_a_forked_process_has_threads_of_its_own() {
  check_each_index_once(8, 4);  // the pool is warm
  const pid_t child = fork();
  if (child == 0) {
    check_each_index_once(8, 4);
    _exit(0);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
#endif

void test_searches_side_by_side() {
  Random draw(11);
  std::vector<SearchCase> cases;
  for (int i = 0; i < 200; ++i) {
    std::vector<uint8_t> bytes(draw.uniform(20, 150));
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(draw.uniform(0, 255));
    cases.push_back(read_search_case(Bytes(bytes)));
  }
  const auto search_all = [&](int64_t blocks) {
    std::vector<std::vector<Hypothesis>> found(cases.size());
    parallel_for(static_cast<int64_t>(cases.size()), blocks, [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        try {
          found[i] =
              table_search(cases[i].options, cases[i].sentence, cases[i].table).value_or(std::vector<Hypothesis>());
        } catch (const SearchError&) {
        }
      }
    });
    return found;
  };
  const auto alone = search_all(1), together = search_all(4);
  for (size_t i = 0; i < cases.size(); ++i) {
    CHECK(alone[i].size() == together[i].size());
    for (size_t j = 0; j < alone[i].size(); ++j) {
      CHECK(alone[i][j].tokens == together[i][j].tokens && alone[i][j].score == together[i][j].score);
    }
  }
}

}  // namespace

int main() {
  test_every_index_once();
  test_the_lowest_exception_comes_out();
  test_calls_inside_calls();
  test_calls_from_many_threads();
  test_searches_side_by_side();
#if !defined(__SANITIZE_THREAD__)
  test_a_forked_process_has_threads_of_its_own();
#endif
}
