"""``python make_golden.py``, which needs transformers, writes ``golden/FAMILY.json``: its results, for tests that do
not need it."""

from __future__ import annotations

import json
from typing import Any

import torch
from seeded import GOLDEN, seeded
from transformers import AutoConfig, AutoModelForSeq2SeqLM, GenerationConfig

SIZES = {"d_model": 8, "max_position_embeddings": 24} | {
    f"{side}_{name}": size
    for side in ("encoder", "decoder")
    for name, size in (("layers", 2), ("attention_heads", 2), ("ffn_dim", 12))
}
T5_SIZES = {"d_model": 8, "d_kv": 6, "d_ff": 12, "num_layers": 2, "num_decoder_layers": 1, "num_heads": 2}
IDS = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 2}
FAMILIES: dict[str, dict[str, Any]] = {
    "marian": {**SIZES, **IDS, "activation_function": "swish", "scale_embedding": True},
    "bart": {**SIZES, **IDS, "activation_function": "gelu"},
    "mbart": {**SIZES, **IDS, "activation_function": "relu", "scale_embedding": True},
    "m2m_100": {**SIZES, **IDS},
    "pegasus": {**SIZES, **IDS, "activation_function": "relu", "scale_embedding": True},
    "t5": {**T5_SIZES, **IDS},
    "mt5": {**T5_SIZES, **IDS},
}
GENERATION = {
    "num_beams": 3,
    "max_length": 10,
    "no_repeat_ngram_size": 2,
    "length_penalty": 1.4,
    "early_stopping": True,
}
VOCABULARY = 20
SOURCES = [[7, 12, 5, 9, 16, 2], [11, 6, 2]]
PREFIXES = [[2, 8, 14, 4], [2, 10, 10, 17]]


def golden(family: str) -> dict[str, Any]:
    """What is known of a family: settings, names and shapes, and what comes out."""
    config = AutoConfig.for_model(family, vocab_size=VOCABULARY, forced_eos_token_id=None, **FAMILIES[family])
    model = AutoModelForSeq2SeqLM.from_config(config).eval()
    kept = model.state_dict()
    ignored = ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight"]  # the same as shared.weight
    ignored += ["lm_head.weight"] if config.tie_word_embeddings else []
    ignored += ["embed_positions.weight"] if family in ("marian", "pegasus") else []  # computed
    shapes = {name: list(x.shape) for name, x in kept.items() if not name.endswith(tuple(ignored))}
    missing, unexpected = model.load_state_dict(seeded(shapes), strict=False)
    assert not unexpected and all(name.endswith(tuple(ignored)) for name in missing)
    model.tie_weights()
    lengths = [len(source) for source in SOURCES]
    source = torch.tensor([s + [IDS["pad_token_id"]] * (max(lengths) - len(s)) for s in SOURCES])
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)).long()
    settings = GENERATION | {name: IDS[name] for name in IDS}
    with torch.inference_mode():
        logits = model(input_ids=source, attention_mask=mask, decoder_input_ids=torch.tensor(PREFIXES)).logits
        found = model.generate(source, attention_mask=mask, generation_config=GenerationConfig(**settings))
    return {
        "config": config.to_dict(),
        "generation": settings,
        "shapes": shapes,
        "sources": SOURCES,
        "prefixes": PREFIXES,
        "logits": [[[round(x, 5) for x in position] for position in sentence] for sentence in logits.tolist()],
        "tokens": [row[1:] for row in found.tolist()],
    }


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name in FAMILIES:
        text = json.dumps(golden(name), indent=None, sort_keys=True)
        (GOLDEN / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        print(name)
