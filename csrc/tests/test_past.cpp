// Keys and values of hypotheses: each reads its own through any reordering, and what none reads is taken again.
#include <algorithm>
#include <vector>

#include "check.h"
#include "core/transformer/past.h"
#include "random.h"

using namespace seq2seq_kit::transformer;

namespace {

constexpr int64_t kStride = 3;

/// Writes a number of its own into each newest cell, and remembers what each hypothesis must read.
class Stamped {
 public:
  explicit Stamped(int64_t rows) : past_(kStride, rows), expected_(rows) {}

  void step() {
    past_.open_step();
    for (size_t row = 0; row < expected_.size(); ++row) {
      std::fill_n(past_.newest(static_cast<int64_t>(row)), kStride, ++stamp_);
      expected_[row].push_back(stamp_);
    }
    for (size_t row = 0; row < expected_.size(); ++row) {
      const auto places = past_.places(static_cast<int64_t>(row));
      CHECK(places.size() == expected_[row].size() && static_cast<int64_t>(places.size()) == past_.length());
      for (size_t i = 0; i < places.size(); ++i) {
        const uint32_t* cell = past_.cells() + places[i] * kStride;
        CHECK(std::all_of(cell, cell + kStride, [&](uint32_t x) { return x == expected_[row][i]; }));
        most_ = std::max<int64_t>(most_, places[i] + 1);
      }
    }
  }

  void select(const std::vector<int64_t>& parents) {
    past_.select(parents);
    std::vector<std::vector<uint32_t>> chosen;
    for (const int64_t parent : parents) chosen.push_back(expected_[parent]);
    expected_ = std::move(chosen);
  }

  int64_t rows() const { return static_cast<int64_t>(expected_.size()); }

  /// Cells that were ever taken.
  int64_t most() const { return most_; }

 private:
  Past past_;
  std::vector<std::vector<uint32_t>> expected_;  // of each row
  uint32_t stamp_ = 0;
  int64_t most_ = 0;
};

void test_each_reads_its_own() {
  Random draw(3);
  for (int round = 0; round < 30; ++round) {
    Stamped past(draw.uniform(1, 6));
    for (int step = 0; step < 40 && past.rows() > 0; ++step) {
      past.step();
      std::vector<int64_t> parents(draw.uniform(step < 30 ? 1 : 0, 9));
      for (int64_t& parent : parents) parent = draw.uniform(0, past.rows() - 1);
      past.select(parents);
    }
  }
}

void test_what_none_reads_is_taken_again() {
  Stamped past(1);
  past.step();
  for (int step = 0; step < 500; ++step) {  // five hypotheses that have all but their last token in common
    past.select({0, 0, 0, 0, 0});
    past.step();
  }
  CHECK(past.most() <= 501 + 2 * 5);
}

}  // namespace

int main() {
  test_each_reads_its_own();
  test_what_none_reads_is_taken_again();
}
