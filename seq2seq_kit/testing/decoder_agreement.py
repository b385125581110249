"""Teacher forcing, steps and the engine's search compute one function, and so do their gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.interfaces import Memory
from seq2seq_kit.testing.probe import BEAMS, STEPS, Probe, map_memory, memory_parts, parts
from seq2seq_kit.testing.recording import RecordedSteps
from seq2seq_kit.testing.report import Fault, NotChecked


def check_forward(probe: Probe) -> None:
    """forward and output, in chunks too, give the scores and the attention of T steps."""
    for k in range(probe.paths.shape[1]):
        prefix, names = probe.paths[:, k], ("sentence", "position")
        scores, attention = probe.teach(prefix, probe.memory)
        stepped = _stepped(probe, prefix)
        apart = probe.difference(scores, stepped[0], names)
        if apart is not None:
            raise Fault(f"forward does not score as steps do ({apart}); {_explain(probe, prefix, scores, stepped[0])}")
        if (attention is None) != (stepped[1] is None):
            raise Fault(f"{'step' if attention is None else 'forward'} returns attention and the other does not")
        if attention is not None and stepped[1] is not None:
            apart = probe.difference(attention, stepped[1], names)
            if apart is not None:
                raise Fault(f"forward does not attend as steps do ({apart})")
        hidden = probe.decoder(prefix, probe.memory).hidden
        apart = probe.difference(probe.decoder.output(hidden[:, 2:4], probe.memory), scores[:, 2:4], names)
        if apart is not None:
            raise Fault(f"output gives other scores for a chunk of positions than for all ({apart})")
        if not probe.decoder.output_reads_memory:
            _check_reads_hidden_alone(probe, hidden, scores)


def _check_reads_hidden_alone(probe: Probe, hidden: Tensor, scores: Tensor) -> None:
    """As ``output_reads_memory = False`` says: some positions of all sentences in one row, without a memory."""
    chosen = torch.arange(hidden.shape[0] * hidden.shape[1], device=hidden.device)[::2]
    expected = scores.flatten(0, 1)[chosen].unsqueeze(0)  # [1, N, V']
    claim = "output_reads_memory is False, but output"
    try:
        found = probe.decoder.output(hidden.flatten(0, 1)[chosen].unsqueeze(0), None)
    except Exception as error:
        raise Fault(f"{claim} fails without a memory ({type(error).__name__}: {error})") from None
    apart = probe.difference(found, expected, ("row", "chosen position"))
    if apart is not None:
        raise Fault(f"{claim} gives other scores for a selection of positions ({apart})")


def check_gradients(probe: Probe) -> None:
    """Both ways of computing scores send the same gradients to the parameters and to the memory."""
    prefix = probe.paths[:, 0]
    memory = map_memory(probe.memory, lambda x: x.clone().requires_grad_(x.is_floating_point()))
    wanted: dict[str, Tensor] = {f"self.{name}": p for name, p in probe.decoder.named_parameters() if p.requires_grad}
    wanted |= {name: x for name, x in memory_parts(memory).items() if x.requires_grad}
    if not wanted:
        raise NotChecked("it has no parameter that is trained")
    weights = torch.randn_like(probe.teach(prefix, probe.memory)[0])

    def gradients(call: str, score: Callable[[], Tensor]) -> list[Tensor | None]:
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):  # cuDNN has no backward in eval mode
            scores = score()
            if not scores.requires_grad:
                raise Fault(
                    f"scores of {call} have no gradient: it runs without autograd, or detaches what it computes"
                )
            loss = (scores.masked_fill(scores.isinf(), 0) * weights).sum()
            return list(torch.autograd.grad(loss, list(wanted.values()), allow_unused=True))

    taught = gradients("forward", lambda: probe.teach(prefix, memory)[0])
    stepped = gradients("steps", lambda: _stepped(probe, prefix, memory)[0])
    for name, one, other in zip(wanted, taught, stepped, strict=True):
        blank = torch.zeros_like(wanted[name])
        gap = ((blank if one is None else one) - (blank if other is None else other)).abs().max()
        if gap > 10 * probe.tolerance * max(1.0, float((blank if one is None else one).abs().max())):
            raise Fault(
                f"{name} gets another gradient from steps than from forward ({float(gap):.2g} apart); nothing in "
                "init_state and step may be detached: a decoder may be trained step by step"
            )


def check_engine(probe: Probe) -> None:
    """The engine finds what the slow reference search finds in the same scores, and scores it as forward does."""
    from seq2seq_kit.decoding.search import search  # the compiled engine: loaded only where it is searched with
    from seq2seq_kit.testing.reference_search import reference_search

    target, batch = probe.target, probe.paths.shape[0]
    options = SearchOptions(
        beam_size=BEAMS,
        n_best=BEAMS,
        max_length=STEPS,
        bos_id=target.bos_id,
        eos_ids=(target.eos_id,),
        numerics="reference",
    )
    with torch.inference_mode():
        state = probe.start()
        if not parts(state):  # something must tell how many sentences there are
            state.sentences = {"check.sentence": torch.arange(batch, device=probe.paths.device)}
        recorded = RecordedSteps(probe.decoder.step)
        found = search(recorded, recorded.watch(state), options)
        for b, hypotheses in enumerate(found):
            try:
                slow = reference_search(recorded.scores(b), options, kind=recorded.kind)
            except KeyError:
                slow = []
            if [h.tokens for h in hypotheses] != [h.tokens for h in slow]:
                raise Fault(f"sentence {b}: the engine and the slow search find other hypotheses in the same scores")
            for hypothesis in hypotheses:
                _check_scored_alike(probe, b, hypothesis.tokens, hypothesis.token_log_probs)


def _check_scored_alike(probe: Probe, sentence: int, tokens: list[int], log_probs: list[float]) -> None:
    """What a search gave the tokens of a hypothesis is what teacher forcing gives them."""
    prefix = torch.tensor([[probe.target.bos_id, *tokens[:-1]]], device=probe.paths.device)
    batch = prefix.expand(probe.paths.shape[0], -1).contiguous()
    scores = probe.teach(batch, probe.memory)[0][sentence].float()  # [T, V']
    expected = (scores.log_softmax(-1) if probe.decoder.score_kind == "logits" else scores)[range(len(tokens)), tokens]
    gap = (torch.tensor(log_probs, device=expected.device) - expected).abs()
    if not bool((gap <= max(1e-4, probe.tolerance) * expected.abs().clamp(min=1)).all()):
        t = int(gap.nan_to_num(torch.inf).argmax())
        raise Fault(
            f"in a search, step {t} of sentence {sentence} scores a token {log_probs[t]:.4g} that forward scores "
            f"{float(expected[t]):.4g}; there, step runs in inference mode, and must be the same function"
        )


def _stepped(
    probe: Probe, prefix: Tensor, memory: Memory | None = None, shift: int = 0
) -> tuple[Tensor, Tensor | None]:
    """Scores [B, T, V'] and attention [B, T, S'] of as many steps as ``prefix`` [B, T] is long."""
    state = probe.decoder.init_state(probe.memory if memory is None else memory, prefix.shape[0])
    outputs = probe.run(state, prefix.unsqueeze(1), shift)
    attention = [output.attention for output in outputs if output.attention is not None]
    return torch.cat([output.scores for output in outputs], 1), torch.cat(attention, 1) if attention else None


def _explain(probe: Probe, prefix: Tensor, taught: Tensor, stepped: Tensor) -> str:
    """Why forward and steps may differ."""
    changed = prefix.clone()
    changed[:, -1] = prefix[:, -1].roll(1, 0)  # another sentence's last token
    if probe.difference(probe.teach(changed, probe.memory)[0][:, :-1], taught[:, :-1]) is not None:
        return "in forward a position sees later tokens: it needs a causal mask"
    for shift in (1, -1) if prefix.device.type == "cpu" else ():
        try:
            shifted = _stepped(probe, prefix, shift=shift)[0]
        except Exception:  # a position without an embedding; on an accelerator, nothing would run after it
            continue
        if probe.difference(shifted, taught) is None:
            return f"they agree when step is given position {shift:+d}; both must count from 0, the position of BOS"
    names, first = ("sentence", "position"), 0
    while probe.difference(taught[:, : first + 1], stepped[:, : first + 1], names) is None:
        first += 1
    if first == 0:
        return "the first position is apart already: do both start from the same state and the same scaling?"
    return f"the first {first} agree: is something lost between steps?"
