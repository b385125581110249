"""The step-contract tester: does a decoder keep what :class:`seq2seq_kit.Decoder` promises to training and search?"""

from __future__ import annotations

from collections.abc import Collection

import torch

from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Decoder, Memory, MemorySpec, TargetSpec
from seq2seq_kit.testing.checks import Check, refuse_unknown, run_check
from seq2seq_kit.testing.decoder_agreement import check_engine, check_forward, check_gradients
from seq2seq_kit.testing.decoder_copying import check_copying
from seq2seq_kit.testing.decoder_independence import check_reorder, check_sentences, check_slots
from seq2seq_kit.testing.decoder_native import check_native
from seq2seq_kit.testing.decoder_padding import check_empty, check_padding
from seq2seq_kit.testing.decoder_portability import check_device, check_dtype, check_save
from seq2seq_kit.testing.decoder_purity import check_deterministic, check_in_place, check_self
from seq2seq_kit.testing.decoder_shapes import check_state, check_step
from seq2seq_kit.testing.probe import make_probe
from seq2seq_kit.testing.report import ContractError, Finding, Report

CHECKS = (
    Check("state", "init_state gives one hypothesis a sentence and no history", check_state),
    Check("step", "step keeps names, shapes and dtypes, and scores every token", check_step, ("state",)),
    Check("in_place", "nothing that it is given is written to", check_in_place, ("step",)),
    Check("deterministic", "the same input gives the same scores", check_deterministic, ("in_place",)),
    Check("self", "nothing is kept between calls but the state", check_self, ("deterministic",)),
    Check("save", "saved and loaded, it is the same function", check_save, ("self",)),
    Check("device", "every tensor is on its device", check_device, ("save",)),
    Check("dtype", "it runs in float64 and bfloat16", check_dtype, ("save",)),
    Check("slots", "hypotheses side by side score as each alone", check_slots, ("self",)),
    Check("sentences", "sentences that leave change nothing for the rest", check_sentences, ("slots",)),
    Check("reorder", "reordered hypotheses score as what they continue", check_reorder, ("sentences",)),
    Check("forward", "forward and output score as steps do", check_forward, ("slots",)),
    Check("copying", "words of the source's own are read as unknown", check_copying, ("forward",)),
    Check("padding", "padding changes nothing", check_padding, ("self",)),
    Check("empty", "a source without any token is scored or refused", check_empty, ("padding",)),
    Check("gradients", "steps send the gradients that forward sends", check_gradients, ("forward",)),
    Check("engine", "a search scores as forward does", check_engine, ("reorder", "forward")),
    Check("native", "the native stepper is the same function as step", check_native, ("engine",)),
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
        target: the vocabulary; default: as many tokens as ``step`` scores, and the special ids of ``TargetSpec``. A
            decoder that copies needs it.
        skip: names of checks to leave out.

    Returns: what was checked, when no fault was found. ``print`` shows it.

    Raises:
        ContractError: faults were found; the message has one sentence each. It is an ``AssertionError``.
        UserError: the arguments are unusable.
    """
    _refuse_unusable(decoder, memory, skip)
    with torch.inference_mode(False), torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        probe = make_probe(decoder, memory, target)
        findings: list[Finding] = []
        for check in CHECKS:
            findings.append(run_check(check, probe, findings, skip))
            if check.name == "dtype" and findings[-1].verdict == "ok":
                probe = probe.cast(torch.float64)  # from here on, small faults stand out from rounding
    report = Report(type(decoder).__name__, tuple(findings))
    if report.faults:
        raise ContractError(report)
    return report


def _refuse_unusable(decoder: Decoder, memory: Memory | MemorySpec | None, skip: Collection[str]) -> None:
    if not isinstance(decoder, Decoder):
        raise UserError(f"check_decoder is given a {type(decoder).__name__}; it checks a seq2seq_kit.Decoder")
    if memory is not None and not isinstance(memory, Memory | MemorySpec):
        raise UserError(f"memory is a {type(memory).__name__}; give a Memory, its MemorySpec, or None")
    if isinstance(memory, Memory) and memory.mask.shape[0] < 2:
        raise UserError("memory holds one sentence; give two or more of unlike lengths, to see that they do not mix")
    refuse_unknown(skip, CHECKS)
