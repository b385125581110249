"""All that a decoder remembers is in the state that it returns: nothing is written in place, kept aside or drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from seq2seq_kit.interfaces import StepOutput
from seq2seq_kit.testing.probe import Probe, map_memory, memory_parts, parts
from seq2seq_kit.testing.report import Fault

T = TypeVar("T")

_OF_TORCH = frozenset(vars(nn.Module()))
"""What every module has: parameters, buffers, hooks and the like."""


def check_in_place(probe: Probe) -> None:
    given = {**memory_parts(probe.memory), **_weights(probe.decoder)}
    check_unwritten("init_state", given, probe.start)
    check_unwritten("forward", given, lambda: probe.teach(probe.paths[:, 0], probe.memory))
    state = probe.start().select(torch.zeros_like(probe.paths[:, :, 0]))
    for t in range(3):
        tokens = probe.paths[:, :, t].clone()
        position = torch.full_like(tokens[:, 0], t)
        given = {"tokens": tokens, "position": position, **parts(state), **_weights(probe.decoder)}
        state = state.advance(check_unwritten("step", given, partial(probe.decoder.step, tokens, position, state)))


def check_deterministic(probe: Probe) -> None:
    """In eval mode nothing is drawn."""

    def scores(seed: int) -> Tensor:
        torch.manual_seed(seed)
        taught = probe.teach(probe.paths[:, 0], probe.memory)[0].flatten()
        return torch.cat([taught, *(output.scores.flatten() for output in probe.run(probe.start(), probe.paths))])

    first, other, again = scores(0), scores(1), scores(0)
    if torch.equal(first, again) and not torch.equal(first, other):
        raise Fault("another random seed gives other scores; in eval mode nothing may be random (is dropout on?)")


def check_self(probe: Probe) -> None:
    """Nothing is kept between calls: attributes stay, and decodings that take turns do not disturb each other."""
    other = replace(
        probe, memory=map_memory(probe.memory, lambda x: x.flip(0)), paths=probe.paths.flip(0, 1).contiguous()
    )
    both = (probe, other)
    other.teach(other.paths[:, 0], other.memory)
    apart = [one.run(one.start(), one.paths) for one in both]
    before = attributes(probe.decoder)  # what is built on first use is there by now
    probe.teach(probe.paths[:, 0], probe.memory)
    probe.run(probe.start(), probe.paths[:, :, :-1])
    changed = [name for name, value in attributes(probe.decoder).items() if before.get(name) != value]
    if changed:
        raise Fault(
            f"decoding changes self.{' and self.'.join(changed)}; a decoder keeps nothing between calls: what belongs "
            "to a hypothesis goes into rows or history, what belongs to a source into sentences"
        )
    runs = {
        "is repeated": [one.run(one.start(), one.paths) for one in both],
        "takes turns with another": _in_turn(both),
    }
    for how, found in runs.items():
        for one, outputs, expected in zip(both, found, apart, strict=True):
            where = one.first_difference(outputs, expected)
            if where is not None:
                raise Fault(
                    f"a decoding that {how} gives something else ({where}): something outside the state (a global, a "
                    "closure, an object it holds) is kept between calls; put it into rows, history or sentences"
                )


def check_unwritten(call: str, given: dict[str, Tensor], run: Callable[[], T]) -> T:
    """The result of ``run``, which must leave the tensors in ``given`` as they are."""
    before = {name: (x._version, x.detach().clone()) for name, x in given.items()}
    result = run()
    for name, x in given.items():
        version, value = before[name]
        if x._version != version or not torch.equal(x.nan_to_num(), value.nan_to_num()):
            raise Fault(
                f"{call} writes into {name} in place; other hypotheses and autograd still need it: return a new tensor"
            )
    return result


def _in_turn(probes: tuple[Probe, ...]) -> list[list[StepOutput]]:
    """Several decodings, a step of each at a time."""
    states = [probe.start().select(torch.zeros_like(probe.paths[:, :, 0])) for probe in probes]
    outputs: list[list[StepOutput]] = [[] for _ in probes]
    for t in range(probes[0].paths.shape[2]):
        for i, probe in enumerate(probes):
            outputs[i].append(probe.step(probe.paths[:, :, t], t, states[i]))
            states[i] = states[i].advance(outputs[i][-1])
    return outputs


def _weights(decoder: nn.Module) -> dict[str, Tensor]:
    named = [*decoder.named_parameters(), *decoder.named_buffers()]
    return {f"self.{name}": x for name, x in named}


def attributes(decoder: nn.Module) -> dict[str, Any]:
    """Every attribute of the decoder and its parts, and of their classes, as something that can be compared later."""
    found = {name: _frozen(x) for name, x in decoder.named_buffers()}
    for path, module in decoder.named_modules():
        classes = [
            cls for cls in type(module).__mro__ if cls.__module__.split(".")[0] not in ("torch", "abc", "builtins")
        ]
        for owner in (module, *classes):
            for name, value in vars(owner).items():
                kept = name not in _OF_TORCH and not name.startswith("__")
                if kept and (owner is module or isinstance(value, Tensor | dict | list | set)):
                    found[f"{path}.{name}".lstrip(".")] = _frozen(value)
    return found


def _frozen(value: Any, depth: int = 4) -> Any:
    """A copy of ``value`` that compares by content; what it cannot look into compares by identity."""
    if isinstance(value, Tensor):
        value = value.to_dense() if value.is_mkldnn else value  # weights that are kept packed for a kernel
        data = value.detach().cpu().flatten().contiguous().view(torch.uint8).numpy().tobytes()
        return tuple(value.shape), value.dtype, data
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if depth and isinstance(value, dict):
        return [(repr(key), _frozen(item, depth - 1)) for key, item in value.items()]
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [_frozen(item, depth - 1) for item in value]
    content = vars(value) if depth and hasattr(value, "__dict__") and not isinstance(value, type) else {}
    return id(value), [(name, _frozen(item, depth - 1)) for name, item in content.items()]
