"""A decoder's native stepper computes what its Python step computes."""

from __future__ import annotations

import torch

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.testing.probe import BEAMS, STEPS, Probe
from seq2seq_kit.testing.report import Fault, NotChecked


def check_native(probe: Probe) -> None:
    """A search by the native stepper in fp32 finds and scores what a search by ``step`` does, but for ties."""
    from seq2seq_kit.decoding.search import search  # the compiled engine: loaded only where it is searched with
    from seq2seq_kit.decoding.stepper import native_decoder

    probe = probe.cast(torch.float32)
    native = native_decoder(probe.decoder)
    if native is None:
        raise NotChecked("it offers no native stepper for its options and device")
    options = SearchOptions(
        beam_size=BEAMS,
        n_best=BEAMS,
        max_length=STEPS,
        bos_id=probe.target.bos_id,
        eos_ids=(probe.target.eos_id,),
    )
    found: list[list[list[Hypothesis]]] = []
    with torch.inference_mode():
        batch = probe.paths.shape[0]
        found.append(search(native.begin(probe.memory, batch), options=options, batch_size=batch))
        found.append(search(probe.decoder.step, probe.start(), options, batch_size=batch))
    for b, (ours, expected) in enumerate(zip(*found, strict=True)):
        _check_same(probe, f"sentence {b}", ours, expected)


def _check_same(probe: Probe, where: str, ours: list[Hypothesis], expected: list[Hypothesis]) -> None:
    """Equal scores place by place, and of equal hypotheses equal scores of every token."""
    if len(ours) != len(expected):
        raise Fault(f"{where}: a search by the native stepper finds {len(ours)} hypotheses, by step {len(expected)}")
    for one, other in zip(ours, expected, strict=True):
        if abs(one.log_prob - other.log_prob) > probe.tolerance * STEPS * max(1.0, abs(other.log_prob)):
            raise Fault(
                f"{where}: by the native stepper the best hypotheses score {_scores(ours)}, by step "
                f"{_scores(expected)}; native() must be the same function, or give None"
            )
    tokens = {tuple(hypothesis.tokens): hypothesis.token_log_probs for hypothesis in expected}
    for one in ours:
        log_probs = tokens.get(tuple(one.tokens), one.token_log_probs)  # none: the two met a tie
        for t, (score, wanted) in enumerate(zip(one.token_log_probs, log_probs, strict=True)):
            if abs(score - wanted) > probe.tolerance * max(1.0, abs(wanted)):
                raise Fault(f"{where}, step {t}: the native stepper scores a token {score:.4g}, step {wanted:.4g}")


def _scores(hypotheses: list[Hypothesis]) -> str:
    return ", ".join(f"{hypothesis.log_prob:.4g}" for hypothesis in hypotheses)
