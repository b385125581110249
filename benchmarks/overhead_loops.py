"""The rivals of ``search_overhead``: Hugging Face's ``generate`` and a plain PyTorch loop, over the same table."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Table:
    """Scores that cost nothing: views of a few blocks [B, K, V] made beforehand, one a position in turn."""

    def __init__(self, batch: int, beams: int, vocabulary: int, blocks: int = 3) -> None:
        generator = torch.Generator().manual_seed(1)
        self.blocks = [torch.randn(batch, beams, vocabulary, generator=generator) * 2 for _ in range(blocks)]

    def __call__(self, position: int, batch: int, beams: int) -> Tensor:
        return self.blocks[position % len(self.blocks)][:batch, :beams]


def plain_search(table: Table, batch: int, beams: int, steps: int, how: dict[str, Any]) -> Tensor:
    """Greedy, beam search or sampling of exactly ``steps`` tokens, [B, steps]; without an end symbol."""
    if how.get("sampling"):
        return _plain_sampling(table, batch, beams, steps, how)
    sequences = torch.zeros(batch, 1, 1, dtype=torch.long)  # [B, K, 1 + t], BOS first
    total = torch.zeros(batch, 1)  # [B, K]
    for position in range(steps):
        width = sequences.shape[1]
        log_probs = table(position, batch, width).flatten(0, 1).log_softmax(-1)  # [B * K, V]
        log_probs = _processed(log_probs, sequences.flatten(0, 1)[:, 1:], how)
        candidates = (log_probs.view(batch, width, -1) + total.unsqueeze(-1)).flatten(1)  # [B, K * V]
        total, index = candidates.topk(beams)
        vocabulary = log_probs.shape[1]
        parents = (index // vocabulary).unsqueeze(-1).expand(-1, -1, sequences.shape[2])
        sequences = torch.cat([sequences.gather(1, parents), (index % vocabulary).unsqueeze(-1)], -1)
    return sequences[:, 0, 1:]


def _plain_sampling(table: Table, batch: int, beams: int, steps: int, how: dict[str, Any]) -> Tensor:
    sequences = torch.zeros(batch * beams, 1, dtype=torch.long)
    for position in range(steps):
        logits = _processed(table(position, batch, beams).flatten(0, 1), sequences[:, 1:], how)
        if how.get("top_p", 1.0) < 1:
            sorted_logits, order = logits.sort(descending=True)
            mass = sorted_logits.softmax(-1).cumsum(-1)
            gone = (mass - sorted_logits.softmax(-1)) >= how["top_p"]
            logits = sorted_logits.masked_fill(gone, -torch.inf).gather(1, order.argsort(1))
        sequences = torch.cat([sequences, logits.softmax(-1).multinomial(1)], 1)
    return sequences[:, 1:]


def _processed(scores: Tensor, sequences: Tensor, how: dict[str, Any]) -> Tensor:
    """[rows, V] with a repetition penalty and repeated n-grams barred."""
    if (penalty := how.get("repetition_penalty", 1.0)) != 1:
        written = scores.gather(1, sequences)
        scores = scores.scatter(1, sequences, torch.where(written < 0, written * penalty, written / penalty))
    if (size := how.get("no_repeat_ngram", 0)) and sequences.shape[1] >= size:
        scores = scores.clone()
        for row, tokens in enumerate(sequences.tolist()):
            last = tokens[len(tokens) - size + 1 :]
            for start in range(len(tokens) - size + 1):
                if tokens[start : start + size - 1] == last:
                    scores[row, tokens[start + size - 1]] = -torch.inf
    return scores


def hugging_face(table: Table, beams: int, vocabulary: int) -> Any:
    """A model of the pinned transformers release whose forward looks its logits up, ready for ``generate``."""
    from transformers import GenerationConfig, GenerationMixin, PretrainedConfig, PreTrainedModel
    from transformers.modeling_outputs import CausalLMOutput
    from transformers.utils import logging

    class TableModel(PreTrainedModel, GenerationMixin):  # type: ignore[misc]
        config_class = PretrainedConfig

        def __init__(self, config: PretrainedConfig) -> None:
            super().__init__(config)
            self.anchor = torch.nn.Parameter(torch.zeros(1))  # tells generate the device

        def prepare_inputs_for_generation(self, input_ids: Tensor, **_: Any) -> dict[str, Any]:
            return {"input_ids": input_ids}

        def forward(self, input_ids: Tensor, **_: Any) -> CausalLMOutput:
            rows, position = input_ids.shape[0], input_ids.shape[1] - 1
            return CausalLMOutput(logits=table(position, rows // beams, beams).reshape(rows, 1, -1))

    logging.set_verbosity_error()
    model = TableModel(PretrainedConfig(vocab_size=vocabulary)).eval()
    model.generation_config = GenerationConfig(bos_token_id=0, pad_token_id=0, eos_token_id=None, use_cache=False)
    return model
