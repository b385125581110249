// libFuzzer's target: any options, sentence and table, searched by the core.
#include "invariants.h"
#include "search_case.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const SearchCase c = read_search_case(Bytes({data, size}));
  checked_search(c.options, c.sentence, c.table);
  return 0;
}
