#include "core/ancestors.h"

namespace seq2seq_kit {

AncestorTable::AncestorTable(int64_t rows) : writers_(rows) {}

void AncestorTable::append(std::span<const int64_t> rows) {
  for (auto& writers : writers_) writers.push_back(kUnknown);
  for (const int64_t row : rows) writers_[row][positions_] = row;
  ++positions_;
}

AncestorTable::Copies AncestorTable::reorder(std::span<const int64_t> from, std::span<const int64_t> to) {
  Copies copies;
  std::vector<int64_t> written;
  for (size_t i = 0; i < from.size(); ++i) {
    const auto& source = writers_[from[i]];
    const auto& target = writers_[to[i]];
    // A position that two rows share was written by one hypothesis, whose past they then share too.
    for (int64_t position = positions_ - 1; position >= 0 && source[position] != target[position]; --position) {
      copies.from_row.push_back(from[i]);
      copies.to_row.push_back(to[i]);
      copies.position.push_back(position);
      written.push_back(source[position]);
    }
  }
  for (size_t i = 0; i < written.size(); ++i) writers_[copies.to_row[i]][copies.position[i]] = written[i];
  return copies;
}

}  // namespace seq2seq_kit
