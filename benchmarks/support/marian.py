"""Marian models of random weights, saved as transformers saves them, and sentences for them.

A word is a token. Neither the end of a sentence nor padding is ever likely, so that every output is as long as a search
lets it be: no system needs an option for that, and all take the same steps. Runs where transformers is installed.
"""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from itertools import islice, product
from pathlib import Path

SIZES = {
    "base": {"width": 512, "layers": 6, "heads": 8, "ff": 2048, "vocabulary": 32_000},
    "small": {"width": 256, "layers": 3, "heads": 4, "ff": 1024, "vocabulary": 8_000},
}
"""61 and 7.7 million parameters; encoder, decoder and output layer share one embedding matrix."""
SOURCE_LENGTH, TARGET_LENGTH = 20, 30
"""Tokens: the source's end symbol counts."""
NEVER = -1e4
"""The bias of tokens that never come."""


def words(size: str) -> list[str]:
    """All words of a model, without special tokens."""
    syllables = [consonant + vowel for consonant in "bcdfghjklmnprstvwz" for vowel in "aeiou"]
    return ["".join(word) for word in islice(product(syllables, repeat=3), SIZES[size]["vocabulary"] - 3)]


def sentences(size: str, count: int) -> list[str]:
    """So many sources, the same at every call."""
    drawn, known = random.Random(1), words(size)
    return [" ".join(drawn.choices(known, k=SOURCE_LENGTH - 1)) for _ in range(count)]


def write(size: str, folder: Path) -> None:
    """Save a model of :data:`SIZES` with its tokenizer."""
    import torch
    from sentencepiece import SentencePieceTrainer
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    folder.mkdir(parents=True)
    known, sizes = words(size), SIZES[size]
    pieces = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(known),
        model_writer=pieces,
        model_type="word",
        vocab_size=len(known) + 3,
        character_coverage=1.0,
        minloglevel=2,
    )
    for side in ("source", "target"):
        (folder / f"{side}.spm").write_bytes(pieces.getvalue())
    vocabulary = ["</s>", "<unk>", *(f"▁{word}" for word in known), "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(vocabulary)}), encoding="utf-8")
    tokenizer = MarianTokenizer(str(folder / "source.spm"), str(folder / "target.spm"), str(folder / "vocab.json"))
    sides = {"layers": sizes["layers"], "attention_heads": sizes["heads"], "ffn_dim": sizes["ff"]}
    pad = len(vocabulary) - 1
    config = MarianConfig(
        vocab_size=len(vocabulary),
        d_model=sizes["width"],
        **{f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in sides.items()},
        activation_function="relu",
        scale_embedding=True,
        max_position_embeddings=512,
        pad_token_id=pad,
        decoder_start_token_id=pad,
        eos_token_id=0,
        forced_eos_token_id=None,
    )
    torch.manual_seed(1)
    model = MarianMTModel(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2 and "embed_positions" not in name:
                weight.normal_(0, (1.0 if "shared" in name else 1.5) / sizes["width"] ** 0.5)  # lively
        model.get_input_embeddings().weight[pad] = 0  # what CTranslate2 starts from
        model.final_logits_bias.normal_(0, 0.5)
        model.final_logits_bias[0, [0, pad]] = NEVER
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)


def parameters_a_step(size: str) -> int:
    """How many weights a step of the decoder reads, and multiplies each row with."""
    sizes = SIZES[size]
    width, ff = sizes["width"], sizes["ff"]
    layer = 4 * width**2 + 2 * width**2 + 2 * width * ff  # to itself, to the source (keys and values are kept), ff
    return sizes["layers"] * layer + sizes["vocabulary"] * width


def write_all(folder: Path, sizes: Sequence[str]) -> None:
    """In ``folder / size`` a model in the forms of all: ``hf``, ``float32`` and ``int8`` (CTranslate2's), ``run``."""
    from ctranslate2.converters import TransformersConverter

    for size in sizes:
        source = folder / size / "hf"
        write(size, source)
        for precision in ("float32", "int8"):
            converted = source.parent / precision
            TransformersConverter(str(source)).convert(str(converted), quantization=precision)
        imported = [sys.executable, "-m", "seq2seq_kit", "import", "hf", source, source.parent / "run"]
        subprocess.run(imported, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    write_all(Path(sys.argv[1]), sys.argv[2:])
