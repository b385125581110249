// Memory for weights: aligned, zero, nobody else's, from several threads at once; and kept while somebody holds a part.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "check.h"
#include "core/kernels/packed_matrix.h"
#include "core/kernels/weights_memory.h"

using namespace seq2seq_kit::kernels;

namespace {

using Words = std::shared_ptr<uint32_t[]>;

void test_blocks_are_aligned_zero_and_apart() {
  struct Block {
    Words words;
    size_t size;
  };
  std::vector<Block> blocks;
  for (const size_t size : {size_t{0}, size_t{1}, size_t{17}, size_t{100000}, size_t{900000}, size_t{3000000}}) {
    for (int i = 0; i < 3; ++i) {
      Block block{weights_memory(size), size};
      CHECK(reinterpret_cast<uintptr_t>(block.words.get()) % 64 == 0);
      CHECK(std::all_of(block.words.get(), block.words.get() + size, [](uint32_t word) { return word == 0; }));
      std::fill_n(block.words.get(), size, static_cast<uint32_t>(blocks.size() + 1));
      blocks.push_back(std::move(block));
    }
  }
  for (size_t i = 0; i < blocks.size(); i += 2) blocks[i].words.reset();  // the others keep what they share
  for (size_t i = 1; i < blocks.size(); i += 2) {
    const uint32_t* words = blocks[i].words.get();
    CHECK(std::all_of(words, words + blocks[i].size, [&](uint32_t word) { return word == i + 1; }));
  }
}

void test_threads_pack_and_multiply() {
  const int64_t outputs = 70, inputs = 33;
  const std::vector<float> weights(outputs * inputs, 0.5f), x(inputs, 1);
  const auto work = [&] {
    for (int i = 0; i < 50; ++i) {
      const PackedMatrix matrix(weights.data(), nullptr, outputs, inputs, Precision::bf16);
      std::vector<float> out(outputs);
      multiply(matrix, x.data(), 1, inputs, out.data(), outputs);
      CHECK(std::all_of(out.begin(), out.end(), [](float y) { return y == 16.5f; }));
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back(work);
  for (auto& thread : threads) thread.join();
}

}  // namespace

int main() {
  test_blocks_are_aligned_zero_and_apart();
  test_threads_pack_and_multiply();
}
