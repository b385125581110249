"""A decoder that writes words of its vocabulary and copies words of its source (See et al. 2017, section 2.2)."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from seq2seq_kit import (
    ComponentConfig,
    ConfigError,
    Decoder,
    DecoderOutput,
    DecoderState,
    Memory,
    MemorySpec,
    StepOutput,
    TargetSpec,
    UserError,
    build,
    component_field,
)
from seq2seq_kit_copy.coverage import coverage_loss

OWN = "copy."
"""The prefix of this decoder's tensors among the sentences; the others are the inner decoder's."""


class CopyDecoderConfig(ComponentConfig):
    """Any decoder with attention, and words copied from the source."""

    name: str = "copy"
    decoder: component_field("decoder") = {"name": "lstm"}  # type: ignore[valid-type]
    """The decoder that writes and says where it looks. A recurrent one with the attention ``coverage`` also knows where
    it has looked."""
    coverage_loss: float = Field(default=0.0, ge=0)
    """λ: how much looking where it has looked before is punished in training (equation 13)."""


class CopyDecoder(Decoder):
    """P(w) = p P_vocabulary(w) + (1 - p) Σ_{i: w_i = w} a_i, a being the attention and p how much is written (equation
    9).

    The inner decoder has one entry more than the vocabulary: its score is p's, before the sigmoid. p is thus a function
    of all that the scores of words are made of, as in equation 8, whatever the inner decoder. What attention puts on
    positions that hold no word (the end symbol, a mark) is written too, not copied; a source without a word leaves p
    at 1.

    What the batch's words are is the task's to say (``copying: true``): ``copies`` and ``own_words`` among the extras
    of the memory. ``rows`` and ``history`` are the inner decoder's, and so are ``sentences`` but for ``copy.copies``
    [B, S'] int64 and ``copy.own_words`` [B, N] bool.

    Raises:
        ConfigError: the inner decoder gives log-probabilities; while it runs, it gives no attention over the source.
    """

    score_kind = "log_probs"
    copies = True

    def __init__(self, config: CopyDecoderConfig, target: TargetSpec, memory: MemorySpec | None) -> None:
        super().__init__()
        if memory is None:
            raise ConfigError("decoder copy: copies from a source, so it needs an encoder")
        self.config = config
        self.target = target
        self.decoder: Decoder = build(
            "decoder", config.decoder, replace(target, vocab_size=target.vocab_size + 1), memory
        )
        if self.decoder.score_kind != "logits":
            raise ConfigError(
                f"decoder copy: the decoder {config.decoder.name!r} gives log-probabilities, and p is read off logits"
            )
        self.parallel = self.decoder.parallel

    @property
    def embedding(self) -> nn.Module | None:
        """The inner decoder's, so that an encoder may share it."""
        return getattr(self.decoder, "embedding", None)

    def init_state(self, memory: Memory | None, batch_size: int) -> DecoderState:
        copies, own_words = self._words(memory)
        state = self.decoder.init_state(memory, batch_size)
        own = {f"{OWN}copies": copies, f"{OWN}own_words": own_words}
        return replace(state, sentences={**state.sentences, **own})

    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        inner = {name: x for name, x in state.sentences.items() if not name.startswith(OWN)}
        output = self.decoder.step(self._known(tokens), position, replace(state, sentences=inner))
        attention = self._looked_at(output.attention, state.sentences[f"{OWN}copies"])
        words = state.sentences[f"{OWN}copies"], state.sentences[f"{OWN}own_words"]
        return replace(output, scores=mixture(output.scores, attention, *words), kind=self.score_kind)

    def forward(self, prefix: Tensor, memory: Memory | None) -> DecoderOutput:
        copies, _ = self._words(memory)
        decoded = self.decoder(self._known(prefix), memory)
        attention = self._looked_at(decoded.attention, copies)
        losses = dict(decoded.losses)
        if self.config.coverage_loss:
            losses["coverage"] = self.config.coverage_loss * coverage_loss(attention, self._labelled(prefix))
        return replace(decoded, hidden=torch.cat([decoded.hidden, attention], -1), losses=losses)  # [B, T, H + S']

    def output(self, hidden: Tensor, memory: Memory | None) -> Tensor:
        copies, own_words = self._words(memory)
        width = hidden.shape[-1] - copies.shape[1]
        scores = self.decoder.output(hidden[..., :width], memory)
        return mixture(scores, hidden[..., width:], copies, own_words)

    def _known(self, tokens: Tensor) -> Tensor:
        """Tokens as the inner decoder reads them: the source's own words are unknown to it."""
        return tokens.masked_fill(tokens >= self.target.vocab_size, self.target.unk_id)

    def _labelled(self, prefix: Tensor) -> Tensor:
        """Which positions have a label, [B, T]: what is fed EOS or padding has none, but for the first."""
        over = (prefix == self.target.pad_id) | (prefix == self.target.eos_id)
        return torch.cat([torch.ones_like(over[:, :1]), ~over[:, 1:]], 1)

    @staticmethod
    def _words(memory: Memory | None) -> tuple[Tensor, Tensor]:
        """``copies`` [B, S'], -1 where there is nothing to copy, and ``own_words`` [B, N]."""
        if memory is None:
            raise UserError("decoder copy copies from a source, so it cannot decode without a memory")
        if not {"copies", "own_words"} <= memory.extras.keys():
            raise UserError("decoder copy is not told which words the source has: the task must be (copying: true)")
        copies, own_words = memory.extras["copies"], memory.extras["own_words"]
        if copies.shape != memory.mask.shape:
            raise UserError(
                f"decoder copy: the encoder makes {memory.mask.shape[1]} positions of {copies.shape[1]} source tokens; "
                "words are copied from positions, so there must be one for each"
            )
        return copies.masked_fill(~memory.mask, -1), own_words

    def _looked_at(self, attention: Tensor | None, copies: Tensor) -> Tensor:
        if attention is None or attention.shape[-1] != copies.shape[1]:
            raise ConfigError(
                f"decoder copy: the decoder {self.config.decoder.name!r}, as it is configured, does not say where in "
                "the source it looks: give it an attention"
            )
        return attention


def mixture(scores: Tensor, attention: Tensor, copies: Tensor, own_words: Tensor) -> Tensor:
    """The log-probabilities [B, Q, V + N] of words that are written or copied; -inf for ids that are no word.

    Args:
        scores: [B, Q, V + 1] logits, the last one of them p's.
        attention: [B, Q, S'].
        copies: [B, S'] int64, the id of the word at each position; -1: none.
        own_words: [B, N] bool, which ids from V on are words.
    """
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))  # a sum of V small numbers is to be 1
    written, p = scores[..., :-1].softmax(-1), scores[..., -1:].sigmoid()  # [B, Q, V], [B, Q, 1]
    copied = (1 - p) * attention.to(p.dtype) * (copies >= 0).unsqueeze(1)  # [B, Q, S']
    rest = (1 - copied.sum(-1, keepdim=True)).clamp(min=0)  # [B, Q, 1]
    probabilities = F.pad(rest * written, (0, own_words.shape[1]))  # [B, Q, V + N]
    places = copies.clamp(min=0).unsqueeze(1).expand_as(copied)
    probabilities = probabilities.scatter_add(2, places, copied)
    # The smallest number and not 0, whose logarithm has no gradient: the likeliest of words may be impossible for now.
    log_probs = probabilities.clamp(min=torch.finfo(probabilities.dtype).tiny).log()
    words = F.pad(own_words, (written.shape[-1], 0), value=True).unsqueeze(1)  # [B, 1, V + N]
    return log_probs.masked_fill(~words, -torch.inf)
