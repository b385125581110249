"""Minimum-risk training (Shen et al. 2016): lower the expected cost of the model's own samples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from seq2seq_kit.config import ComponentConfig, component_field
from seq2seq_kit.criteria.chunks import criterion_in_chunks, log_probs_in_chunks
from seq2seq_kit.criteria.forced import Forced, read_attention, teacher_force
from seq2seq_kit.criteria.token_wise import WithBase
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.mbr import utility
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.interfaces import (
    Batch,
    CriterionOutput,
    Example,
    Memory,
    TargetSpec,
    Task,
    shift_right,
)
from seq2seq_kit.model import Model

Tokens = tuple[int, ...]


class MinimumRiskConfig(ComponentConfig):
    """Expected cost of samples."""

    name: str = "minimum_risk"
    samples: int = Field(default=8, ge=1)
    """How many outputs to draw for a sentence; of equal ones, one is kept."""
    reference: bool = True
    """Let the reference be a candidate too."""
    sharpness: float = Field(default=0.005, gt=0)
    """α: candidates are weighed by their probability to this power, renormalised. Small values are closer to even
    weights, and make the gradient of the risk smaller in proportion; the paper's is the default."""
    utility: str = "bleu"
    """What is to be raised: ``bleu`` (with smoothing) or ``chrf`` of each sentence's text, or another metric by name,
    of 0 to 100. The cost is 1 - utility / 100."""
    temperature: float = Field(default=1.0, gt=0)
    """Of the samples."""
    max_length_ratio: float = Field(default=1.5, gt=0)
    """Samples have at most this times the reference's tokens, and 5 more."""
    cross_entropy: float = Field(default=0.0, ge=0)
    """λ, the weight of the loss against the labels, which is added; keeps the model from drifting. With the default
    ``sharpness`` the gradient of the labels is thousands of times that of the risk."""
    base: component_field("criterion") = {"name": "cross_entropy"}  # type: ignore[valid-type]
    """The loss against the labels."""


class MinimumRisk(WithBase):
    """Σ over sentences Σ_c Q(c) cost(c) + λ base, with Q(c) = P(c)^α / Σ_c' P(c')^α over a sentence's candidates c.

    The candidates are samples that the search engine draws from the model in eval mode, and the reference (Shen et al.
    2016, equations 9 and 10). The risk is a sum over sentences, not tokens, as in the paper. Needs a model that is
    trained already: start from a run.
    """

    def __init__(self, config: MinimumRiskConfig, target: TargetSpec) -> None:
        super().__init__(config.name, config.base, target)
        self.config = config
        self.target = target
        self._utility = utility(config.utility)
        self._task: Task | None = None

    def attach(self, task: Task) -> None:
        self._task = task

    def objective(self, model: Model, batch: Batch, forcing: float = 1.0) -> CriterionOutput:
        assert batch.target is not None and batch.target_mask is not None
        references = [tuple(row[real].tolist()) for row, real in zip(batch.target, batch.target_mask, strict=True)]
        candidates = self._candidates(model, batch, references)
        costs = [
            [self._cost(candidate, reference) for candidate in own]
            for own, reference in zip(candidates, references, strict=True)
        ]
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.config.cross_entropy > 0):
            output = criterion_in_chunks(self, teacher_force(model, batch, forcing), batch)
        output.loss = self.risk(model, batch, candidates, costs) + self.config.cross_entropy * output.loss
        return output

    def risk(
        self, model: Model, batch: Batch, candidates: Sequence[Sequence[Tokens]], costs: Sequence[Sequence[float]]
    ) -> Tensor:
        """Σ over sentences of the expected cost; a scalar, differentiable.

        Args:
            candidates: for each sentence some distinct outputs, EOS included where they end with one.
            costs: of each.
        """
        device = batch.source.device
        counts = [len(own) for own in candidates]
        rows = [torch.tensor(candidate) for own in candidates for candidate in own]
        target = pad_sequence(rows, batch_first=True, padding_value=self.target.pad_id).to(device)  # [N, T]
        lengths = torch.tensor([len(row) for row in rows], device=device)
        mask = torch.arange(target.shape[1], device=device) < lengths.unsqueeze(1)
        owner = torch.arange(len(counts), device=device).repeat_interleave(torch.tensor(counts, device=device))  # [N]

        memory = model.encode(batch)
        chosen: Memory | None = None if memory is None else memory.select(owner)
        prefix = shift_right(target, self.target.bos_id)
        with read_attention(model.decoder, False):
            decoded = model.decoder(prefix, chosen)
        log_probs = log_probs_in_chunks(Forced(model, chosen, prefix, decoded), target, mask).sum(1)  # [N]
        weights = (self.config.sharpness * log_probs).split(counts)
        spent = torch.tensor([cost for own in costs for cost in own], device=device).split(counts)
        return torch.stack([own.softmax(0) @ cost for own, cost in zip(weights, spent, strict=True)]).sum()

    @torch.no_grad()
    def _candidates(self, model: Model, batch: Batch, references: Sequence[Tokens]) -> list[list[Tokens]]:
        """For each sentence its distinct samples and, if so configured, its reference."""
        config, target = self.config, self.target
        options = SearchOptions(
            sampling="tokens",
            beam_size=config.samples,
            n_best=config.samples,
            temperature=config.temperature,
            bos_id=target.bos_id,
            eos_ids=(target.eos_id,),
            unk_id=target.unk_id,
            max_length=2**16,
            max_length_ratio=config.max_length_ratio,
            max_length_margin=5,
        )
        lengths = [len(reference) for reference in references]  # what the limit of a sentence is a multiple of
        training = model.training
        model.eval()
        try:
            with torch.autocast(batch.source.device.type, enabled=False):  # the steps keep the dtype of their state
                memory = model.encode(batch)
                state = model.decoder.init_state(memory, len(batch))
                found = search(model.decoder.step, state, options, source_lengths=lengths, memory=memory)
        finally:
            model.train(training)
        drawn = [[tuple(hypothesis.tokens) for hypothesis in own if hypothesis.tokens] for own in found]
        if config.reference:
            drawn = [[reference, *own] for reference, own in zip(references, drawn, strict=True)]
        return [list(dict.fromkeys(own)) for own in drawn]

    def _cost(self, candidate: Tokens, reference: Tokens) -> float:
        return 1 - self._utility(self._text(candidate), self._text(reference)) / 100

    def _text(self, tokens: Tokens) -> str:
        assert self._task is not None, "attach(task) comes first"
        return self._task.decode(Example(""), [Hypothesis(list(tokens), 0.0, 0.0, [0.0] * len(tokens))]).text
