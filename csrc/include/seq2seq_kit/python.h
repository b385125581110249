// How a compiled plugin hands a step of its own to Python: as a capsule, of which Python makes a NativeStep.
#pragma once

#include <Python.h>
#include <torch/headeronly/version.h>

#include <memory>
#include <utility>

#include "seq2seq_kit/abi.h"
#include "seq2seq_kit/step_model.h"

#define SEQ2SEQ_KIT_TEXT_OF(number) #number
#define SEQ2SEQ_KIT_TEXT(number) SEQ2SEQ_KIT_TEXT_OF(number)

/// The name of such a capsule. It says what it was compiled against: one of another interface or torch is refused.
#define SEQ2SEQ_KIT_CAPSULE                                                                           \
  "seq2seq_kit.NativeStep, interface " SEQ2SEQ_KIT_TEXT(SEQ2SEQ_KIT_ABI) ", torch " SEQ2SEQ_KIT_TEXT( \
      TORCH_VERSION_MAJOR) "." SEQ2SEQ_KIT_TEXT(TORCH_VERSION_MINOR)

namespace seq2seq_kit {

/// A new reference to a capsule that holds `step`, for `seq2seq_kit.NativeStep`; null, with Python's error set, where
/// there is no memory. The GIL is held by the caller.
inline PyObject* to_capsule(std::shared_ptr<NativeStep> step) {
  using Held = std::shared_ptr<NativeStep>;
  auto held = std::make_unique<Held>(std::move(step));
  PyObject* capsule = PyCapsule_New(held.get(), SEQ2SEQ_KIT_CAPSULE, [](PyObject* self) {
    delete static_cast<Held*>(PyCapsule_GetPointer(self, SEQ2SEQ_KIT_CAPSULE));
  });
  if (capsule) held.release();
  return capsule;
}

}  // namespace seq2seq_kit
