"""The same search by each toolkit's own code, over scores that are a function of the prefix."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from benchmarks.support.peer_code import JoeyDecoder, load
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions

Score = Callable[[list[int]], Tensor]
"""Logits [V] after a prefix of generated tokens."""
Scored = list[tuple[list[int], float]]
"""The tokens of a sentence's hypotheses and their scores, best first."""

CODE = load()
PAD = 0
SOURCE = 3  # positions of a source of which nothing is read


def _log_probs(score: Score, read: Tensor, temperature: float = 1.0) -> Tensor:
    """[rows, V] after what has been read, BOS first."""
    return torch.log_softmax(torch.stack([score(row[1:]) for row in read.tolist()]) / temperature, -1)


def fairseq(score: Score, vocab: int, options: SearchOptions, sentence: SentenceInput) -> Scored:
    code: Any = CODE["fairseq"]

    class Words:
        """fairseq's dictionary, as far as the search reads it."""

        pad, unk, eos = staticmethod(lambda: PAD), lambda _: options.unk_id, lambda _: options.eos_ids[0]

        def __len__(self) -> int:
            return vocab

    class Model(code.EnsembleModel):  # type: ignore[misc]
        def __init__(self) -> None:
            torch.nn.Module.__init__(self)
            self.models_size = 1

        def set_decoder_beam_size(self, _: int) -> None: ...
        def reorder_incremental_state(self, *_: object) -> None: ...

        def max_decoder_positions(self) -> int:
            return 10**6

        def forward_encoder(self, _: object) -> list[object]:
            return []

        def reorder_encoder_out(self, encoded: object, _: object) -> object:
            return encoded

        def forward_decoder(self, read: Tensor, _: object, __: object, temperature: float) -> tuple[Tensor, None]:
            return _log_probs(score, read, temperature), None

    words = Words()
    siblings = code.search.DiverseSiblingsSearch(words, options.sibling_penalty) if options.sibling_penalty else None
    generator = code.SequenceGenerator(
        Model(),
        words,
        beam_size=options.beam_size,
        max_len_a=options.max_length_ratio,
        max_len_b=options.max_length_margin if options.max_length_ratio else options.max_length,
        min_len=options.min_length,
        normalize_scores=options.length_penalty != 0,
        len_penalty=options.length_penalty,
        unk_penalty=options.unk_penalty,
        temperature=options.temperature,
        no_repeat_ngram_size=options.no_repeat_ngram,
        search_strategy=siblings,
    )
    if options.no_repeat_ngram:  # it looks for the last tokens at the end of its buffer, where the padding is
        block = generator.repeat_ngram_blocker.forward
        generator.repeat_ngram_blocker.forward = lambda read, scores, batch, beams, step: block(
            read[:, : step + 1], scores, batch, beams, step
        )
    source = torch.full((1, max(1, sentence.source_length)), vocab - 1)
    prefix = torch.tensor([sentence.prefix]) if sentence.prefix else None
    sample = {"net_input": {"src_tokens": source}}
    [found] = generator.generate([], sample, prefix_tokens=prefix, bos_token=options.bos_id)
    return [(each["tokens"].tolist(), float(each["score"])) for each in found]


def opennmt(score: Score, vocab: int, options: SearchOptions, _: SentenceInput) -> Scored:
    code: Any = CODE["opennmt"]
    penalty = "none" if options.length_penalty == 0 else "wu" if options.length_penalty_offset == 5 else "avg"
    beam = code.BeamSearch(
        beam_size=options.beam_size,
        batch_size=1,
        pad=PAD,
        bos=options.bos_id,
        eos=options.eos_ids[0],
        unk=options.unk_id,
        start=options.bos_id,
        n_best=options.n_best,
        global_scorer=code.GNMTGlobalScorer(options.length_penalty, 0.0, penalty, "none"),
        min_length=options.min_length,
        max_length=options.max_length,
        return_attention=False,
        block_ngram_repeat=options.no_repeat_ngram,
        exclusion_tokens=set(options.no_repeat_ngram_except),
        stepwise_penalty=False,
        ratio=0.0,
        ban_unk_token=options.unk_penalty == math.inf,
    )
    beam.initialize(torch.zeros(1, SOURCE, 1), torch.tensor([SOURCE]))
    while not beam.done:
        beam.advance(_log_probs(score, beam.alive_seq), None)
        if any(map(any, beam.is_finished_list)):
            beam.update_finished()
    return [(each.tolist(), float(rank)) for each, rank in zip(beam.predictions[0], beam.scores[0], strict=True)]


def joey(score: Score, vocab: int, options: SearchOptions, _: SentenceInput) -> Scored:
    eos = options.eos_ids[0]

    class Model:
        bos_index, eos_index, pad_index, unk_index, sep_index = options.bos_id, eos, PAD, options.unk_id, None
        lang_tags: tuple[int, ...] | list[int] = []
        specials: list[int] = []
        decoder = JoeyDecoder(vocab)

        def __call__(self, *, trg_input: Tensor, **_: object) -> tuple[Tensor, None, None, None]:
            return _log_probs(score, trg_input).unsqueeze(1), None, None, None

    code: ModuleType = CODE["joey"]
    found, scores, _attention = code.beam_search(
        Model(),
        options.beam_size,
        torch.zeros(1, SOURCE, 1),
        None,
        torch.ones(1, 1, SOURCE, dtype=torch.bool),
        options.max_length,
        options.length_penalty or -1,
        n_best=options.n_best,
        min_output_length=options.min_length,
        no_repeat_ngram_size=options.no_repeat_ngram or -1,
        generate_unk=options.unk_penalty == 0,
        return_prob="hyp",
    )
    listed = []
    for row, rank in zip(found.long().tolist(), scores.flatten().tolist(), strict=True):
        tokens = row[: row.index(eos) + 1] if eos in row else [token for token in row if token != PAD]
        if (tokens, rank) != ([options.unk_id], -1.0):  # it fills up its lists
            listed.append((tokens, rank))
    return listed


def sockeye(score: Score, vocab: int, options: SearchOptions, sentence: SentenceInput) -> Scored:
    code: Any = CODE["sockeye"]
    eos, width = options.eos_ids[0], options.beam_size

    class Inference:
        """A model whose state is what it has read."""

        model_output_factor_vocab_size = None
        step = 0

        def state_structure(self) -> list[str]:
            return [code.C.STEP_STATE]

        def encode_and_initialize(self, *_: object) -> tuple[list[Tensor], Tensor, None]:
            expected = torch.tensor([sentence.source_length * options.brevity_ratio])
            return [torch.zeros(1, options.max_length + 2, dtype=torch.int64)], expected, None

        def decode_step(self, words: Tensor, states: list[Tensor], *_: object) -> tuple[Tensor, list[Tensor], None]:
            read = states[0].clone()  # [K, most tokens], BOS first
            read[:, self.step] = words[:, 0]
            self.step += 1
            return -_log_probs(score, read[:, : self.step]), [read], None

    search = code.BeamSearch(
        beam_size=width,
        dtype=torch.float32,
        bos_id=options.bos_id,
        eos_id=eos,
        device=torch.device("cpu"),
        output_vocab_size=vocab,
        scorer=code.CandidateScorer(options.length_penalty, options.length_penalty_offset, options.brevity_penalty),
        num_source_factors=1,
        num_target_factors=1,
        inference=Inference(),
        beam_search_stop="first" if options.stop == "first" else "all",
        prevent_unk=options.unk_penalty == math.inf,
    )
    source = torch.zeros(1, SOURCE, 1, dtype=torch.int32)
    longest = torch.tensor([options.max_length + 1], dtype=torch.int32)  # EOS counted
    found = search(source, torch.tensor([SOURCE]), None, longest)
    parents, words = found.best_hyp_indices, found.best_word_indices[:, 0]
    listed = []
    for place in range(width):
        slot, tokens = int(parents[place, -1]), []
        for step in reversed(range(words.shape[1])):
            tokens.append(int(words[slot, step]))
            slot = int(parents[slot, step])
        tokens.reverse()
        if eos in tokens:  # with "first", it lists what has not ended too
            listed.append((tokens[: tokens.index(eos) + 1], -float(found.accumulated_scores[place, 0])))
    return listed[: options.n_best]


SEARCHES = {"fairseq": fairseq, "opennmt": opennmt, "joey": joey, "sockeye": sockeye}
