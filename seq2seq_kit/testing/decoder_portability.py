"""A decoder comes back from its saved tensors, and follows the device and the dtype that it is moved to."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seq2seq_kit.testing.decoder_shapes import check_state, check_step
from seq2seq_kit.testing.probe import Probe, parts
from seq2seq_kit.testing.report import Fault, NotChecked

M = TypeVar("M", bound=nn.Module)


def check_save(probe: Probe) -> None:
    """What is loaded from the saved state dict into other parameters is the same function."""
    loaded = saved_and_loaded(probe.decoder)
    prefix = probe.paths[:, 0]
    again = replace(probe, decoder=loaded).teach(prefix, probe.memory)[0]
    apart = probe.difference(again, probe.teach(prefix, probe.memory)[0], ("sentence", "position"))
    if apart is not None:
        raise Fault(f"saved and loaded, it gives other scores ({apart}); all that is learnt must be in its state_dict")


def saved_and_loaded(module: M) -> M:
    """A copy with other parameters, into which what was saved of ``module`` is loaded."""
    for name in loose_tensors(module):
        raise Fault(
            f"self.{name} is a tensor that is neither parameter nor buffer: it is not saved and stays behind when the "
            "module is moved; use register_buffer (persistent=False if it can be computed again)"
        )
    try:
        state = {name: x.detach().cpu().contiguous() for name, x in module.state_dict().items()}
        data = safetensors.torch.save(state)
    except (RuntimeError, AttributeError, ValueError) as error:
        raise Fault(f"its state_dict cannot be saved as safetensors: {str(error).strip().splitlines()[0]}") from None
    loaded = copy.deepcopy(module)
    for x in [*loaded.state_dict().values(), *loaded.parameters()]:
        x.detach().copy_(torch.randn_like(x) if x.is_floating_point() else torch.zeros_like(x))
    loaded.load_state_dict(safetensors.torch.load(data))
    return loaded


def check_dtype(probe: Probe) -> None:
    """Cast to float64 or bfloat16 it runs, and its rows and history keep their dtype."""
    for dtype in (torch.float64, torch.bfloat16):
        name = str(dtype).removeprefix("torch.")
        other = probe.cast(dtype)
        try:
            check_state(other)
            check_step(other)
            other.teach(other.paths[:, 0], other.memory)
        except Fault as fault:
            raise Fault(f"cast to {name}: {fault}") from None
        except NotImplementedError as error:
            raise NotChecked(f"PyTorch does not run it in {name} here: {error}") from None
        except RuntimeError as error:
            if "not implemented for" in str(error):
                raise NotChecked(f"PyTorch does not run it in {name} here: {error}") from None
            raise


def check_device(probe: Probe) -> None:
    """Every tensor that it makes is on the device that it was moved to (PyTorch's "meta" stands in for one)."""
    other = probe.to("meta")
    try:
        with OneDevice():
            state = other.start()
            check_on_meta("init_state", parts(state))
            state = state.select(torch.zeros_like(other.paths[:, :, 0]))
            for t in range(2):
                output = other.step(other.paths[:, :, t], t, state)
                state = state.advance(output)
                given = {"scores": output.scores, "attention": output.attention, **parts(state)}
                check_on_meta("step", {name: x for name, x in given.items() if x is not None})
            check_on_meta("output", {"scores": other.teach(other.paths[:, 0], other.memory)[0]})
    except (NotImplementedError, RuntimeError) as error:
        if "device" in str(error):
            raise
        raise NotChecked(f"it cannot run without data: {str(error).splitlines()[0]}") from None


def check_on_meta(call: str, tensors: dict[str, Tensor]) -> None:
    for name, x in tensors.items():
        if x.device.type != "meta":
            raise Fault(
                f"{call} makes {name} on {x.device}, wherever it is itself; make it on the device of parameters "
                "or of what is given (weight.new_zeros, torch.arange(..., device=tokens.device))"
            )


class OneDevice(TorchFunctionMode):
    """Refuses what mixes devices: on "meta", PyTorch itself lets much of it pass."""

    _MAY_MIX = frozenset({"to", "copy_", "type_as", "__getitem__", "__setitem__"})

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        values = [*args, *kwargs.values()]
        values += [item for value in values if isinstance(value, list | tuple) for item in value]
        devices = {x.device.type for x in values if isinstance(x, Tensor) and x.dim()}
        name = getattr(func, "__name__", "")
        if len(devices) > 1 and name not in self._MAY_MIX:
            raise RuntimeError(f"{name} is given tensors on more than one device")
        return func(*args, **kwargs)


def loose_tensors(decoder: nn.Module) -> Iterator[str]:
    """Tensors in plain attributes of the decoder and its parts, or in lists and dicts there."""
    for path, module in decoder.named_modules():
        for name, value in vars(module).items():
            if name in ("_parameters", "_buffers"):
                continue
            items = value if isinstance(value, list | tuple) else value.values() if isinstance(value, dict) else [value]
            for item in items:
                if isinstance(item, Tensor) and not isinstance(item, nn.Parameter):
                    yield f"{path}.{name}".lstrip(".")
