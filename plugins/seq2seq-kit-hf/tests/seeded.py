"""Checkpoints that are described, not stored: their weights follow from their tensors' names and shapes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

GOLDEN = Path(__file__).parent / "golden"
"""For each family what transformers computed with such a checkpoint: ``make_golden.py`` writes them."""


def seeded(shapes: dict[str, list[int]]) -> dict[str, Tensor]:
    """Weights for these names; matrices that let much through, and nothing at 0 or 1."""
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for name in sorted(shapes):
        x = torch.randn(shapes[name], generator=generator)
        vector = x.dim() == 1 or "bias" in name
        sharp = any(part in name for part in (".q.", ".k.", "q_proj", "k_proj"))
        spread = 0.3 if vector else (0.7 if sharp else 1.5) / shapes[name][-1] ** 0.5
        norm = "norm" in name and name.endswith("weight")
        tensors[name] = x * spread + norm
    return tensors


def write_checkpoint(folder: Path, golden: dict[str, Any]) -> None:
    """Write a checkpoint: weights, settings, and a tokenizer for which ``t5 t9`` are the ids 5 and 9, and EOS."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    config = golden["config"]
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "generation_config.json").write_text(json.dumps(golden["generation"]), encoding="utf-8")
    save_file(seeded(golden["shapes"]), folder / "model.safetensors", metadata={"format": "pt"})
    tokens = {"<unk>" if i == 3 else f"t{i}": i for i in range(config["vocab_size"])}
    backend = Tokenizer(models.WordLevel(tokens, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.post_processor = processors.TemplateProcessing(single="$A t2", special_tokens=[("t2", 2)])
    backend.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
