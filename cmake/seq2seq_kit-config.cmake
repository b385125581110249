# find_package(seq2seq_kit) for a plugin with compiled code: the target seq2seq_kit::seq2seq_kit gives the headers of the
# C++ interface, and headers and libraries of the torch that this Python has. Their folder is seq2seq_kit.cmake_dir().
if(NOT Python_EXECUTABLE)
  find_package(Python REQUIRED COMPONENTS Interpreter)
endif()
if(NOT TARGET torch_cpp)
  include("${CMAKE_CURRENT_LIST_DIR}/TorchPython.cmake")
endif()
if(NOT TARGET seq2seq_kit::seq2seq_kit)
  add_library(seq2seq_kit::seq2seq_kit INTERFACE IMPORTED)
  target_include_directories(seq2seq_kit::seq2seq_kit INTERFACE "${CMAKE_CURRENT_LIST_DIR}/../include")
  target_compile_features(seq2seq_kit::seq2seq_kit INTERFACE cxx_std_20)
  target_link_libraries(seq2seq_kit::seq2seq_kit INTERFACE torch_cpp)
endif()
