// Threads that work together: every index once, exceptions carried over, many leaders, after a fork, awake and asleep;
// products come out the same to the bit.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "core/kernels/packed_matrix.h"
#include "core/team.h"
#include "random.h"

using namespace seq2seq_kit;

namespace {

/// Counts in plain integers: a thread sanitizer sees two threads at one, and the leader reading too early.
void check_each_index_once(int64_t count) {
  std::vector<int> calls(count), taken(team_size());
  together(count, [&](int64_t block, int64_t begin, int64_t end) {
    CHECK(begin < end);
    ++taken[block];
    for (int64_t i = begin; i < end; ++i) ++calls[i];
  });
  for (const int n : calls) CHECK(n == 1);
  for (const int n : taken) CHECK(n <= 1);
}

void test_every_index_once() {
  for (const int64_t threads : {0, 1, 2, 3, 5}) {
    const Leader leader(threads);
    CHECK(team_size() == std::max<int64_t>(threads, 1));
    for (const int64_t count : {0, 1, 2, 7, 100}) check_each_index_once(count);
  }
  CHECK(team_size() == 1);
}

void test_threads_are_woken() {
  for (int round = 0; round < 20; ++round) {
    const Leader leader(3);
    check_each_index_once(9);
    std::this_thread::sleep_for(std::chrono::microseconds(50 * round));
    check_each_index_once(9);
  }
}

void test_the_lowest_exception_comes_out() {
  const Leader leader(4);
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> ran = 0;
    try {
      together(4, [&](int64_t block, int64_t, int64_t) {
        ++ran;
        if (block > 0) throw std::runtime_error(std::to_string(block));
      });
      CHECK(false);
    } catch (const std::runtime_error& error) {
      CHECK(std::string(error.what()) == "1" && ran == 4);
    }
    check_each_index_once(8);
  }
}

void test_shared_work_is_not_shared_again() {
  const Leader leader(3);
  std::vector<int> calls(9);
  together(3, [&](int64_t, int64_t begin, int64_t end) {
    const Leader inner(2);
    CHECK(team_size() == 1);
    for (int64_t part = begin; part < end; ++part) {
      together(3, [&](int64_t block, int64_t from, int64_t to) {
        CHECK(block == 0 && from == 0 && to == 3);
        for (int64_t i = from; i < to; ++i) ++calls[3 * part + i];
      });
    }
  });
  CHECK(calls == std::vector<int>(9, 1) && team_size() == 3);
}

void test_many_leaders() {
  std::vector<std::thread> threads;
  for (int i = 0; i < 5; ++i) {
    threads.emplace_back([i] {
      for (int round = 0; round < 30; ++round) {
        const Leader leader(2 + (i + round) % 3);
        check_each_index_once(50);
        check_each_index_once(3);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

#if !defined(__SANITIZE_THREAD__)  // TSan does not follow threads that are started after a fork
void test_a_forked_process_has_threads_of_its_own() {
  {
    const Leader leader(3);
  }
  const pid_t child = fork();
  if (child == 0) {
    const Leader leader(3);
    check_each_index_once(8);
    _exit(0);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
#endif

std::vector<float> numbers(Random& draw, int64_t count) {
  std::vector<float> numbers(count);
  for (float& number : numbers) number = static_cast<float>(draw.uniform(-1000, 1000)) / 500;
  return numbers;
}

/// Sizes above and below those that are worth it, panels that are not full, and more segments of scores than one.
void test_products_are_the_same_to_the_bit() {
  using namespace kernels;
  Random draw(5);
  for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
    for (const auto& [outputs, inputs] : {std::pair<int64_t, int64_t>{3, 7}, {200, 330}, {5000, 48}}) {
      const auto weights = numbers(draw, outputs * inputs), bias = numbers(draw, outputs);
      const PackedMatrix matrix(weights.data(), bias.data(), outputs, inputs, precision);
      for (const int64_t rows : {1, 5, 30}) {
        const auto x = numbers(draw, rows * inputs), added = numbers(draw, rows * outputs);
        struct Found {
          std::vector<float> products, scores, log_sums;
          std::vector<int64_t> tokens;
          bool operator==(const Found&) const = default;
        };
        const auto find = [&](int64_t threads) {
          const Leader leader(threads);
          const int64_t count = std::min<int64_t>(outputs, 7);
          Found found{std::vector<float>(rows * outputs), std::vector<float>(rows * count), std::vector<float>(rows),
                      std::vector<int64_t>(rows * count)};
          multiply(matrix, x.data(), rows, inputs, found.products.data(), outputs, Activation::gelu, added.data());
          multiply_top(matrix, x.data(), rows, inputs, count, found.scores.data(), found.tokens.data(),
                       found.log_sums.data());
          return found;
        };
        const Found alone = find(1);
        for (const int64_t threads : {2, 3}) CHECK(find(threads) == alone);
      }
    }
  }
}

}  // namespace

int main() {
  test_every_index_once();
  test_threads_are_woken();
  test_the_lowest_exception_comes_out();
  test_shared_work_is_not_shared_again();
  test_many_leaders();
  test_products_are_the_same_to_the_bit();
#if !defined(__SANITIZE_THREAD__)
  test_a_forked_process_has_threads_of_its_own();
#endif
}
