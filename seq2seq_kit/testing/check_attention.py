"""Does an attention keep what :class:`seq2seq_kit.Attention` promises to the decoder that asks it?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Attention, Memory, MemorySpec
from seq2seq_kit.testing.attention_probe import AttentionProbe, make_attention_probe, select
from seq2seq_kit.testing.checks import Check, refuse_unknown, run_checks
from seq2seq_kit.testing.decoder_padding import padded_otherwise
from seq2seq_kit.testing.decoder_portability import OneDevice, check_on_meta, saved_and_loaded
from seq2seq_kit.testing.decoder_purity import attributes, check_unwritten
from seq2seq_kit.testing.probe import map_memory, memory_parts
from seq2seq_kit.testing.report import Fault, NotChecked, Report


def check_attention(
    attention: Attention, memory: Memory | MemorySpec, query_size: int, *, skip: Collection[str] = ()
) -> Report:
    """Check the contract of an attention, as :func:`check_decoder` checks that of a decoder.

    ::

        def test_my_attention_keeps_the_contract():
            spec = MemorySpec(size=8)
            check_attention(MyAttention(MyConfig(), 6, spec), spec, query_size=6)

    It works on a copy in eval mode, as :func:`check_decoder` does.

    Args:
        memory: what to look up: its sizes (a random one is made), or a ``Memory`` of two or more sentences of unlike
            lengths.
        query_size: D of the queries, as the attention was built with.
        skip: names of checks to leave out.

    Returns: what was checked, when no fault was found. ``print`` shows it.

    Raises:
        ContractError: faults were found; the message has one sentence each. It is an ``AssertionError``.
        UserError: the arguments are unusable.
    """
    if not isinstance(attention, Attention):
        raise UserError(f"check_attention is given a {type(attention).__name__}; it checks a seq2seq_kit.Attention")
    if not isinstance(memory, Memory | MemorySpec):
        raise UserError(f"memory is a {type(memory).__name__}; give a Memory or its MemorySpec")
    if isinstance(memory, Memory) and memory.mask.shape[0] < 2:
        raise UserError("memory holds one sentence; give two or more of unlike lengths, to see that they do not mix")
    refuse_unknown(skip, ATTENTION_CHECKS)
    with torch.inference_mode(False), torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        probe = make_attention_probe(attention, memory, query_size)
    return run_checks(type(attention).__name__, ATTENTION_CHECKS, probe, skip)


def _check_projection(probe: AttentionProbe) -> None:
    projected, state = probe.start()
    count = probe.memory.mask.shape[0]
    for name, x in _tensors("project", projected).items():
        if x.shape[:1] != (count,):
            raise Fault(f"project gives {name!r} shape {list(x.shape)}; it must be [B, ...], with B = {count}")
    for name, x in _tensors("init_state", state).items():
        if x.shape[:2] != (count, 1):
            raise Fault(f"init_state gives {name!r} shape {list(x.shape)}; it must be [B, 1, ...], with B = {count}")
    if state and not probe.attention.recurrent:
        raise Fault(
            f"init_state gives {', '.join(map(repr, state))}, but recurrent is False: training asks all positions at "
            "once, without a state; say recurrent = True"
        )


def _check_shapes(probe: AttentionProbe) -> None:
    projected, state = probe.start()
    (batch, beams), width = probe.queries.shape[:2], probe.memory.mask.shape[1]
    state = select(state, torch.zeros(batch, beams, dtype=torch.int64, device=probe.queries.device))
    returned = probe.attention(probe.queries[:, :, 0], projected, state)
    if not isinstance(returned, tuple) or len(returned) != 3:
        raise Fault(f"forward returns a {type(returned).__name__}; it must be (context, weights, state)")
    (context, weights), new = returned[:2], returned[2]
    size = probe.attention.context_size
    if tuple(context.shape) != (batch, beams, size):
        raise Fault(
            f"the context has shape {list(context.shape)}; it must be [B, Q, context_size] = [{batch}, {beams}, {size}]"
        )
    if not bool(context.isfinite().all()):
        raise Fault("the context has NaN or an infinity")
    if weights is not None and tuple(weights.shape) != (batch, beams, width):
        raise Fault(
            f"the weights have shape {list(weights.shape)}; they must be [B, Q, S'] = [{batch}, {beams}, {width}]"
        )
    before = {name: (tuple(x.shape), x.dtype) for name, x in state.items()}
    after = {name: (tuple(x.shape), x.dtype) for name, x in _tensors("forward's state", new).items()}
    if before != after:
        raise Fault(
            f"the state is {before} before a step and {after} after it; names, shapes and dtypes must stay, as it "
            "travels with the hypotheses"
        )


def _check_in_place(probe: AttentionProbe) -> None:
    weights = {f"self.{name}": x for name, x in [*probe.attention.named_parameters(), *probe.attention.named_buffers()]}
    given = {**memory_parts(probe.memory), **weights}
    projected, state = check_unwritten("project or init_state", given, probe.start)
    state = select(state, torch.zeros_like(probe.queries[:, :, 0, 0], dtype=torch.int64))
    for t in range(2):
        query = probe.queries[:, :, t].clone()
        parts = {f"projected[{name!r}]": x for name, x in projected.items()}
        parts |= {f"state[{name!r}]": x for name, x in state.items()}
        step = partial(probe.step, query, projected, state)
        _, state = check_unwritten("forward", {"query": query, **parts, **weights}, step)


def _check_deterministic(probe: AttentionProbe) -> None:
    torch.manual_seed(0)
    first = probe.run()
    torch.manual_seed(1)
    where = replace(probe, tolerance=0).first_difference(probe.run(), first)
    if where is not None:
        raise Fault(f"asked again, it gives something else ({where}); in eval mode nothing may be random (dropout on?)")


def _check_self(probe: AttentionProbe) -> None:
    expected = probe.run()
    before = attributes(probe.attention)
    other = replace(probe, memory=map_memory(probe.memory, lambda x: x.flip(0)), queries=probe.queries.flip(0, 1))
    other.run()
    changed = [name for name, value in attributes(probe.attention).items() if before.get(name) != value]
    if changed:
        raise Fault(
            f"looking up changes self.{' and self.'.join(changed)}; what depends on the source belongs into what "
            "project returns, what depends on the past into the state (recurrent = True)"
        )
    projected, state = probe.start()
    other.start()  # another batch is projected before this one is looked up
    state = select(state, torch.zeros_like(probe.queries[:, :, 0, 0], dtype=torch.int64))
    looked, _ = probe.step(probe.queries[:, :, 0], projected, state)
    where = probe.first_difference([looked], expected[:1])
    if where is not None:
        raise Fault(
            f"after another batch was projected, it gives something else ({where}): something outside what project "
            "returns (a global, a closure) is kept between calls"
        )


def _check_save(probe: AttentionProbe) -> None:
    loaded = replace(probe, attention=saved_and_loaded(probe.attention))
    where = probe.first_difference(loaded.run(), probe.run())
    if where is not None:
        raise Fault(
            f"saved and loaded, it gives something else ({where}); all that is learnt must be in its state_dict"
        )


def _check_device(probe: AttentionProbe) -> None:
    other = probe.to("meta")
    try:
        with OneDevice():
            projected, state = other.start()
            check_on_meta("project", projected)
            check_on_meta("init_state", state)
            state = {name: x.expand(-1, other.queries.shape[1], *x.shape[2:]) for name, x in state.items()}
            (context, weights), state = other.step(other.queries[:, :, 0], projected, state)
            check_on_meta("forward", {"the context": context, **state})
            if weights is not None:
                check_on_meta("forward", {"the weights": weights})
    except (NotImplementedError, RuntimeError) as error:
        if "device" in str(error):
            raise
        raise NotChecked(f"it cannot run without data: {str(error).splitlines()[0]}") from None


def _check_dtype(probe: AttentionProbe) -> None:
    for dtype in (torch.float64, torch.bfloat16):
        name = str(dtype).removeprefix("torch.")
        try:
            other = probe.cast(dtype)
            _check_shapes(other)
            found = other.run()[0][0].dtype
        except Fault as fault:
            raise Fault(f"cast to {name}: {fault}") from None
        except (NotImplementedError, RuntimeError) as error:
            if "not implemented for" in str(error):
                raise NotChecked(f"PyTorch does not run it in {name} here: {error}") from None
            raise Fault(
                f"cast to {name} it fails: {str(error).splitlines()[0]}; make tensors in the dtype of what is given "
                "(query.new_zeros)"
            ) from None
        if found != dtype:
            raise Fault(f"cast to {name}, it gives a context in {str(found).removeprefix('torch.')}")


def _check_queries(probe: AttentionProbe) -> None:
    together = probe.run()
    for k in range(probe.queries.shape[1]):
        alone = probe.run(probe.queries[:, k : k + 1])
        one = [(context[:, k : k + 1], None if w is None else w[:, k : k + 1]) for context, w in together]
        where = probe.first_difference(one, alone)
        if where is not None:
            raise Fault(
                f"query {k} of {probe.queries.shape[1]} sees something else than alone ({where}); [b, q] may depend "
                "on query [b, q], its own state and sentence b alone"
            )


def _check_reorder(probe: AttentionProbe) -> None:
    """However hypotheses are reordered, each goes on from its own state."""
    projected, state = probe.start()
    if not state:
        raise NotChecked("it has no state")
    device, queries = probe.queries.device, probe.queries[:, :1, :1]  # [B, K = 1, t, D]
    for t, width in enumerate((3, 2, 3, 1)):
        looked, state = probe.step(queries[:, :, -1], projected, state)
        where = probe.first_difference([looked], probe.run(queries)[-1:])
        if where is not None:
            raise Fault(
                f"after a reordering, a hypothesis does not go on from its own past (step {t}: {where}); what it must "
                "remember belongs into the state that forward returns, [B, Q, ...], and nowhere else"
            )
        sentence = torch.arange(queries.shape[0], device=device).unsqueeze(1)
        parents = (torch.arange(width, 0, -1, device=device) + sentence) % queries.shape[1]  # [B, K']
        state = select(state, parents)
        asked = probe.queries[:, torch.arange(width, device=device) % probe.queries.shape[1], t + 1]
        queries = torch.cat([queries[sentence, parents], asked.unsqueeze(2)], 2)


def _check_sentences(probe: AttentionProbe) -> None:
    expected = probe.run()
    for b in range(probe.memory.mask.shape[0]):
        only = torch.tensor([b], device=probe.queries.device)
        alone = replace(probe, memory=probe.memory.select(only), queries=probe.queries[only]).run()
        one = [(context[only], None if w is None else w[only]) for context, w in expected]
        where = probe.first_difference(alone, one)
        if where is not None:
            raise Fault(f"alone, sentence {b} gives something else ({where}); a sentence may depend on itself alone")


def _check_padding(probe: AttentionProbe) -> None:
    expected = probe.run()
    for what, memory in padded_otherwise(probe.memory).items():
        found = replace(probe, memory=memory).run()
        where = probe.first_difference(found, expected)
        if where is not None:
            raise Fault(f"{what} changes {where}; use memory.mask wherever source positions are compared or summed")
        for t, (_, weights) in enumerate(found):
            if weights is not None and bool((weights * ~memory.mask.unsqueeze(1)).any()):
                raise Fault(f"the weights at step {t} are not 0 on padding; they must be exactly 0 there")


def _check_empty(probe: AttentionProbe) -> None:
    expected = probe.run()
    mask = probe.memory.mask.clone()
    mask[0] = False
    try:
        found = replace(probe, memory=replace(probe.memory, mask=mask)).run()
    except UserError:
        return
    for t, ((context, weights), (other, _)) in enumerate(zip(found, expected, strict=True)):
        if not bool(context.isfinite().all()) or (weights is not None and bool(weights.isnan().any())):
            raise Fault(
                f"a source without any real position gives NaN at step {t} (a softmax of nothing but -inf?); its "
                "weights must be 0"
            )
        where = probe.difference(context[1:], other[1:])
        if where is not None:
            raise Fault(f"a source without any real position changes what other sentences see (step {t}, {where})")


def _check_gradients(probe: AttentionProbe) -> None:
    if not probe.attention.context_size:
        raise NotChecked("its context is empty")
    attention: nn.Module = probe.attention
    with torch.enable_grad():
        queries = probe.queries.clone().requires_grad_()
        states = probe.memory.states.clone().requires_grad_()
        other = replace(probe, memory=replace(probe.memory, states=states))
        total = sum(context.square().sum() for context, _ in other.run(queries))
        wanted = {"the memory's states": states, **{f"self.{n}": p for n, p in attention.named_parameters()}}
        if not isinstance(total, Tensor) or not total.requires_grad:
            raise Fault("no gradient comes through it (torch.no_grad, detach or .data somewhere?)")
        gradients = torch.autograd.grad(total, list(wanted.values()), allow_unused=True)
    missing = [name for (name, x), g in zip(wanted.items(), gradients, strict=True) if x.requires_grad and g is None]
    if missing:
        raise Fault(f"no gradient reaches {' and '.join(missing)} from the context; it would never be learned")


def _tensors(what: str, given: object) -> Mapping[str, Tensor]:
    if not isinstance(given, dict):
        raise Fault(f"{what} gives a {type(given).__name__}, not a dict of tensors")
    for name, x in given.items():
        if not isinstance(x, Tensor):
            raise Fault(f"{what} gives a {type(x).__name__} as {name!r}; it must be a tensor")
    return given


ATTENTION_CHECKS = (
    Check("projection", "project and init_state give tensors of each sentence", _check_projection),
    Check("forward", "forward gives context, weights and state of the promised shapes", _check_shapes, ("projection",)),
    Check("in_place", "nothing that it is given is written to", _check_in_place, ("forward",)),
    Check("deterministic", "the same question gets the same answer", _check_deterministic, ("in_place",)),
    Check("self", "nothing is kept between calls but the state", _check_self, ("deterministic",)),
    Check("save", "saved and loaded, it is the same function", _check_save, ("self",)),
    Check("device", "every tensor is on its device", _check_device, ("save",)),
    Check("dtype", "it runs in float64 and bfloat16", _check_dtype, ("save",)),
    Check("queries", "queries side by side see what each sees alone", _check_queries, ("self",)),
    Check("sentences", "a sentence is looked up alike alone and among others", _check_sentences, ("queries",)),
    Check("reorder", "reordered hypotheses go on from their own state", _check_reorder, ("queries",)),
    Check("padding", "padding changes nothing and is not looked at", _check_padding, ("self",)),
    Check("empty", "a source without any token is looked up or refused", _check_empty, ("padding",)),
    Check("gradients", "gradients reach the memory and every parameter", _check_gradients, ("self",)),
)
