// The few lines that the native tests need of a test framework.
#pragma once

#include <cstdio>
#include <cstdlib>

/// Ends the program with the failed condition and its place.
#define CHECK(condition)                                                                 \
  do {                                                                                   \
    if (!(condition)) {                                                                  \
      std::fprintf(stderr, "%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                                      \
    }                                                                                    \
  } while (false)

/// Does `run` throw an `Error`?
template <typename Error, typename Run>
bool throws(const Run& run) {
  try {
    run();
  } catch (const Error&) {
    return true;
  }
  return false;
}
