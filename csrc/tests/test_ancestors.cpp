// The ancestor table: the copies that it lists give every row the past of the row that it continues.
#include <random>
#include <vector>

#include "check.h"
#include "core/ancestors.h"

using namespace seq2seq_kit;

namespace {

using Rows = std::vector<int64_t>;
using Storage = std::vector<std::vector<int>>;  // [rows][positions]

void apply(const AncestorTable::Copies& copies, Storage& storage) {
  std::vector<int> values;
  for (size_t i = 0; i < copies.position.size(); ++i) {
    values.push_back(storage[copies.from_row[i]][copies.position[i]]);
  }
  for (size_t i = 0; i < values.size(); ++i) storage[copies.to_row[i]][copies.position[i]] = values[i];
}

void test_slots_that_continue_themselves_copy_nothing() {
  AncestorTable table(4);
  const Rows rows{0, 1, 2, 3};
  for (int step = 0; step < 5; ++step) {
    table.append(rows);
    CHECK(table.reorder(rows, rows).empty());
  }
}

void test_only_what_differs_is_copied() {
  AncestorTable table(2);
  table.append(Rows{0});
  CHECK(table.reorder(Rows{0, 0}, Rows{0, 1}).position == Rows{0});
  for (int step = 0; step < 9; ++step) table.append(Rows{0, 1});
  CHECK(table.reorder(Rows{1, 1}, Rows{0, 1}).position.size() == 9);  // the first position is shared
  table.append(Rows{0, 1});
  CHECK(table.reorder(Rows{1, 0}, Rows{0, 1}).position == (Rows{10, 10}));  // a swap of what parted just now
}

/// Any rows may continue any others, die and come back; a model that copies whole pasts tells what must be there.
void test_random_reorders() {
  std::mt19937 random_bits(4);
  const auto uniform = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random_bits);
  };
  for (int round = 0; round < 500; ++round) {
    const int64_t size = uniform(1, 12);
    AncestorTable table(size);
    Storage storage(size), whole(size);
    Rows live{0};
    int written = 0;
    for (int step = 0; step < 20; ++step) {
      for (auto* each : {&storage, &whole}) {
        for (auto& row : *each) row.push_back(-1);
      }
      for (const int64_t row : live) storage[row][step] = whole[row][step] = written++;
      table.append(live);

      Rows from, to;
      for (int64_t row = 0; row < size; ++row) {
        if (uniform(0, 2) == 0) continue;
        to.push_back(row);
        from.push_back(live[uniform(0, static_cast<int64_t>(live.size()) - 1)]);
      }
      if (to.empty()) continue;
      apply(table.reorder(from, to), storage);
      const Storage before = whole;
      for (size_t i = 0; i < to.size(); ++i) whole[to[i]] = before[from[i]];
      for (const int64_t row : to) CHECK(storage[row] == whole[row]);
      live = to;
    }
  }
}

}  // namespace

int main() {
  test_slots_that_continue_themselves_copy_nothing();
  test_only_what_differs_is_copied();
  test_random_reorders();
}
