# Finds torch through its Python package, not through find_package(Torch), which asks for the CUDA toolkit whenever torch
# was built with it. Defines the targets `torch_cpp` (headers and libraries of the installed torch) and `torch_python`
# (these and torch's Python bindings), TORCH_VERSION and TORCH_LIBRARY_DIR.
set(_query [[
import os, torch
root = os.path.dirname(torch.__file__)
print(root, torch.__version__, int(torch._C._GLIBCXX_USE_CXX11_ABI), sep=";")
]])
execute_process(COMMAND "${Python_EXECUTABLE}" -c "${_query}" OUTPUT_VARIABLE _answer RESULT_VARIABLE _status
                OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT _status EQUAL 0)
  message(FATAL_ERROR "torch cannot be imported by ${Python_EXECUTABLE}. Install it first (pip install torch), or build "
                      "without --no-build-isolation, which fetches it.")
endif()
list(GET _answer 0 _root)
list(GET _answer 1 TORCH_VERSION)
list(GET _answer 2 _cxx11_abi)
set(TORCH_LIBRARY_DIR "${_root}/lib")
message(STATUS "torch ${TORCH_VERSION} in ${_root}")

add_library(torch_cpp INTERFACE)
# torch bundles the pybind11 that it was built with: its headers come first.
target_include_directories(torch_cpp SYSTEM BEFORE INTERFACE "${_root}/include")
target_compile_definitions(torch_cpp INTERFACE _GLIBCXX_USE_CXX11_ABI=${_cxx11_abi})
add_library(torch_python INTERFACE)
target_link_libraries(torch_python INTERFACE torch_cpp)
foreach(_name IN ITEMS c10 torch_cpu torch torch_python)
  find_library(_library_${_name} NAMES ${_name} PATHS "${TORCH_LIBRARY_DIR}" NO_DEFAULT_PATH NO_CACHE REQUIRED)
endforeach()
target_link_libraries(torch_cpp INTERFACE "${_library_c10}" "${_library_torch_cpu}" "${_library_torch}")
target_link_libraries(torch_python INTERFACE "${_library_torch_python}")
