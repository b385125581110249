"""The step-contract tester: does a decoder keep what :class:`seq2seq_kit.Decoder` promises to training and search?"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import torch

from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Decoder, Memory, MemorySpec, TargetSpec
from seq2seq_kit.testing.decoder_agreement import check_engine, check_forward, check_gradients
from seq2seq_kit.testing.decoder_independence import check_reorder, check_sentences, check_slots
from seq2seq_kit.testing.decoder_padding import check_empty, check_padding
from seq2seq_kit.testing.decoder_portability import check_device, check_dtype, check_save
from seq2seq_kit.testing.decoder_purity import check_deterministic, check_in_place, check_self
from seq2seq_kit.testing.decoder_shapes import check_state, check_step
from seq2seq_kit.testing.probe import Probe, make_probe
from seq2seq_kit.testing.report import ContractError, Fault, Finding, NotChecked, Report


@dataclass(frozen=True)
class _Check:
    """One promise of the contract.

    Args:
        promise: what is so when the check passes.
        needs: checks whose faults would only show again in this one.
    """

    name: str
    promise: str
    run: Callable[[Probe], None]
    needs: tuple[str, ...] = ()


CHECKS = (
    _Check("state", "init_state gives one hypothesis a sentence and no history", check_state),
    _Check("step", "step keeps names, shapes and dtypes, and scores every token", check_step, ("state",)),
    _Check("in_place", "nothing that it is given is written to", check_in_place, ("step",)),
    _Check("deterministic", "the same input gives the same scores", check_deterministic, ("in_place",)),
    _Check("self", "nothing is kept between calls but the state", check_self, ("deterministic",)),
    _Check("save", "saved and loaded, it is the same function", check_save, ("self",)),
    _Check("device", "every tensor is on its device", check_device, ("save",)),
    _Check("dtype", "it runs in float64 and bfloat16", check_dtype, ("save",)),
    _Check("slots", "hypotheses side by side score as each alone", check_slots, ("self",)),
    _Check("sentences", "sentences that leave change nothing for the rest", check_sentences, ("slots",)),
    _Check("reorder", "reordered hypotheses score as what they continue", check_reorder, ("sentences",)),
    _Check("forward", "forward and output score as steps do", check_forward, ("slots",)),
    _Check("padding", "padding changes nothing", check_padding, ("self",)),
    _Check("empty", "a source without any token is scored or refused", check_empty, ("padding",)),
    _Check("gradients", "steps send the gradients that forward sends", check_gradients, ("forward",)),
    _Check("engine", "a search scores as forward does", check_engine, ("reorder", "forward")),
)


def check_decoder(
    decoder: Decoder,
    memory: Memory | MemorySpec | None = None,
    *,
    target: TargetSpec | None = None,
    skip: Collection[str] = (),
) -> Report:
    """Check the whole contract of a decoder: call it in a test of yours.

    ::

        def test_my_decoder_keeps_the_contract():
            spec = MemorySpec(size=8)
            check_decoder(MyDecoder(MyConfig(size=8), TargetSpec(vocab_size=11), spec), spec)

    It works on a copy in eval mode, whose constant parameters (zero biases, say) are made random, and in float64 where
    the decoder can: the decoder itself stays as it is. Small sizes are enough and quick. The checks run on the device
    of the decoder's parameters.

    Args:
        memory: what to decode from: its sizes (a random one is made); or a ``Memory``, as your encoder gives it for a
            batch of two or more sentences of unlike lengths; extras of shape [B, S', ...] are taken to be about source
            positions. None: the decoder is a language model.
        target: the vocabulary; default: as many tokens as ``step`` scores, and the special ids of ``TargetSpec``.
        skip: names of checks to leave out.

    Returns: what was checked, when no fault was found. ``print`` shows it.

    Raises:
        ContractError: faults were found; the message has one sentence each. It is an ``AssertionError``.
        UserError: the arguments are unusable.
    """
    _refuse_unusable(decoder, memory, skip)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        probe = make_probe(decoder, memory, target)
        findings: list[Finding] = []
        broken: set[str] = set()
        for check in CHECKS:
            missing = [name for name in check.needs if name in broken]
            if check.name in skip:
                finding = Finding(check.name, "not checked", "left out")
            elif missing:
                finding = Finding(check.name, "not checked", f"waits for {', '.join(missing)}")
            else:
                finding = _run(check, probe)
            findings.append(finding)
            if missing or finding.verdict == "FAILED":
                broken.add(check.name)
            if check.name == "dtype" and finding.verdict == "ok":
                probe = probe.cast(torch.float64)  # from here on, small faults stand out from rounding
    report = Report(type(decoder).__name__, tuple(findings))
    if report.faults:
        raise ContractError(report)
    return report


def _run(check: _Check, probe: Probe) -> Finding:
    try:
        check.run(probe)
    except Fault as fault:
        return Finding(check.name, "FAILED", str(fault))
    except NotChecked as reason:
        return Finding(check.name, "not checked", str(reason))
    except ImportError:  # of the environment, not of the decoder
        raise
    except Exception as error:
        return Finding(check.name, "FAILED", f"{_describe(error)}; what is right: {check.promise}")
    return Finding(check.name, "ok", check.promise)


def _describe(error: Exception) -> str:
    """An exception of the decoder's, and the line of the decoder's that it comes from."""
    ours, theirs = Path(__file__).parent, Path(torch.__file__).parent
    frames = traceback.extract_tb(error.__traceback__)
    places = [f for f in frames if not {ours, theirs} & {*Path(f.filename).parents}]
    where = f" in {places[-1].name} ({Path(places[-1].filename).name}, line {places[-1].lineno})" if places else ""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}{where}: {lines[0]}"


def _refuse_unusable(decoder: Decoder, memory: Memory | MemorySpec | None, skip: Collection[str]) -> None:
    if not isinstance(decoder, Decoder):
        raise UserError(f"check_decoder is given a {type(decoder).__name__}; it checks a seq2seq_kit.Decoder")
    if memory is not None and not isinstance(memory, Memory | MemorySpec):
        raise UserError(f"memory is a {type(memory).__name__}; give a Memory, its MemorySpec, or None")
    if isinstance(memory, Memory) and memory.mask.shape[0] < 2:
        raise UserError("memory holds one sentence; give two or more of unlike lengths, to see that they do not mix")
    names = [check.name for check in CHECKS]
    unknown = sorted(set(skip) - {*names})
    if unknown:
        raise UserError(f"there is no check {unknown[0]!r} to skip; there are {', '.join(names)}")
