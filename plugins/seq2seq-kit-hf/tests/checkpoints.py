"""Tiny checkpoints of every family, written by transformers itself: random weights, and tokenizers that learnt a few
sentences."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

SENTENCES = """\
How are you today, my friend?
The small dog doesn't see the big cat.
We have eaten all of the bread that was on the table.
Is there anybody who can help us?
Comment allez-vous aujourd'hui, mon ami ?
Le petit chien ne voit pas le grand chat.
Nous avons mangé tout le pain qui était sur la table.
Y a-t-il quelqu'un qui puisse nous aider ?
""".splitlines()
VOCABULARY = 96
"""Of each tokenizer, at most, without what it adds by itself."""
SIZES = {"d_model": 16, "max_position_embeddings": 48} | {
    f"{side}_{name}": size
    for side in ("encoder", "decoder")
    for name, size in (("layers", 2), ("attention_heads", 2), ("ffn_dim", 24))
}


def write_checkpoint(family: str, folder: Path) -> None:
    """Write a checkpoint of :data:`FAMILIES`."""
    torch.manual_seed(len(family))
    tokenizer, model = FAMILIES[family](folder)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 1 or "bias" in name:
                weight.add_(torch.randn_like(weight) * 0.2)
            elif "embed_positions" not in name:
                weight.normal_(0, (0.7 if ".q" in name or ".k" in name else 2.0) / weight.shape[1] ** 0.5)
        if hasattr(model, "final_logits_bias"):
            model.final_logits_bias.normal_(0, 0.5)
            model.final_logits_bias[0, model.config.eos_token_id] += 2
        model.get_output_embeddings().weight[model.config.eos_token_id] *= 1.3  # so that outputs end, now and then
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)


def pieces(sentences: list[str], **options: Any) -> bytes:
    """A SentencePiece model."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        vocab_size=VOCABULARY,
        hard_vocab_limit=False,
        minloglevel=2,
        **options,
    )
    return model.getvalue()


def _marian(folder: Path, separate: bool = False) -> tuple[Any, Any]:
    from sentencepiece import SentencePieceProcessor
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    vocabularies = []
    for side, sentences in (("source", SENTENCES[:4]), ("target", SENTENCES[4:])):
        model = pieces(sentences)
        (folder / f"{side}.spm").write_bytes(model)
        processor = SentencePieceProcessor(model_proto=model)
        vocabularies.append([processor.id_to_piece(i) for i in range(3, len(processor))])
    if not separate:
        vocabularies = [[">>fra<<", *vocabularies[0], *vocabularies[1]]]
    names, sizes = ["vocab.json", "target_vocab.json"], []
    for name, vocabulary in zip(names, vocabularies, strict=False):
        special = ["</s>", "<unk>", "<pad>"] if separate else ["</s>", "<unk>"]
        tokens = list(dict.fromkeys([*special, *vocabulary, "<pad>"]))
        sizes.append(len(tokens))
        (folder / name).write_text(json.dumps({token: i for i, token in enumerate(tokens)}), encoding="utf-8")
    files = {"source_spm": "source.spm", "target_spm": "target.spm", "vocab": "vocab.json"}
    paths = {field: str(folder / name) for field, name in files.items()}
    if separate:
        paths["target_vocab_file"] = str(folder / "target_vocab.json")
    pad = 2 if separate else sizes[0] - 1
    config = MarianConfig(
        vocab_size=max(sizes),
        decoder_vocab_size=max(sizes),
        pad_token_id=pad,
        decoder_start_token_id=pad,
        eos_token_id=0,
        bad_words_ids=[[pad]],
        num_beams=4,
        max_length=24,
        activation_function="swish",
        scale_embedding=True,
        share_encoder_decoder_embeddings=not separate,
        **SIZES,
    )
    return MarianTokenizer(**paths, separate_vocabs=separate), MarianMTModel(config)


def _bart(folder: Path) -> tuple[Any, Any]:
    from tokenizers import ByteLevelBPETokenizer
    from transformers import BartConfig, BartForConditionalGeneration, BartTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    backend = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    backend.train_from_iterator(SENTENCES, 300, special_tokens=special, show_progress=False)
    backend.save_model(str(folder))
    tokenizer = BartTokenizerFast(str(folder / "vocab.json"), str(folder / "merges.txt"))
    options = {"no_repeat_ngram_size": 3, "early_stopping": True, "num_beams": 3, "min_length": 4, "max_length": 20}
    config = BartConfig(vocab_size=len(tokenizer), forced_bos_token_id=0, length_penalty=2.0, **options, **SIZES)
    return tokenizer, BartForConditionalGeneration(config)


def _t5(folder: Path, **options: Any) -> tuple[Any, Any]:
    from transformers import (
        MT5Config,
        MT5ForConditionalGeneration,
        T5Config,
        T5ForConditionalGeneration,
        T5TokenizerFast,
    )

    folder.mkdir(parents=True, exist_ok=True)
    ids = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
    (folder / "spiece.model").write_bytes(pieces(SENTENCES, **ids))
    tokenizer = T5TokenizerFast(str(folder / "spiece.model"), extra_ids=5)
    kind, model = (MT5Config, MT5ForConditionalGeneration) if options else (T5Config, T5ForConditionalGeneration)
    prefixes = {"translation_en_to_fr": {"prefix": "translate English to French: ", "num_beams": 4, "max_length": 18}}
    config = kind(
        vocab_size=len(tokenizer) + 7,
        d_model=16,
        d_kv=6,
        d_ff=24,
        num_layers=2,
        num_decoder_layers=3,
        num_heads=2,
        decoder_start_token_id=0,
        task_specific_params=prefixes,
        **options,
    )
    return tokenizer, model(config)


def _mbart(folder: Path) -> tuple[Any, Any]:
    from transformers import MBartConfig, MBartForConditionalGeneration, MBartTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sentencepiece.bpe.model").write_bytes(pieces(SENTENCES))
    tokenizer = MBartTokenizerFast(str(folder / "sentencepiece.bpe.model"), src_lang="en_XX", tgt_lang="fr_XX")
    code = tokenizer.convert_tokens_to_ids("fr_XX")
    config = MBartConfig(
        vocab_size=len(tokenizer),
        decoder_start_token_id=code,
        scale_embedding=True,
        num_beams=3,
        max_length=20,
        **SIZES,
    )
    return tokenizer, MBartForConditionalGeneration(config)


def _mbart50(folder: Path) -> tuple[Any, Any]:
    from transformers import MBart50TokenizerFast, MBartConfig, MBartForConditionalGeneration

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sentencepiece.bpe.model").write_bytes(pieces(SENTENCES))
    tokenizer = MBart50TokenizerFast(str(folder / "sentencepiece.bpe.model"), src_lang="en_XX", tgt_lang="fr_XX")
    options = {"activation_function": "relu", "scale_embedding": True, "num_beams": 3, "max_length": 20}
    config = MBartConfig(vocab_size=len(tokenizer), decoder_start_token_id=2, **options, **SIZES)
    return tokenizer, MBartForConditionalGeneration(config)


def _m2m100(folder: Path) -> tuple[Any, Any]:
    from sentencepiece import SentencePieceProcessor
    from transformers import M2M100Config, M2M100ForConditionalGeneration, M2M100Tokenizer

    folder.mkdir(parents=True, exist_ok=True)
    model = pieces(SENTENCES)
    (folder / "spm.model").write_bytes(model)
    processor = SentencePieceProcessor(model_proto=model)
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *(processor.id_to_piece(i) for i in range(3, len(processor)))]
    (folder / "words.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}), encoding="utf-8")
    tokenizer = M2M100Tokenizer(str(folder / "words.json"), str(folder / "spm.model"), src_lang="en", tgt_lang="fr")
    (folder / "words.json").rename(folder / "vocab.json")
    size = len(tokenizer.encoder) + len(tokenizer.lang_code_to_id) + tokenizer.num_madeup_words
    config = M2M100Config(vocab_size=size, num_beams=3, max_length=17, early_stopping=True, **SIZES)
    return tokenizer, M2M100ForConditionalGeneration(config)


def _nllb(folder: Path) -> tuple[Any, Any]:
    from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sentencepiece.bpe.model").write_bytes(pieces(SENTENCES))
    path = str(folder / "sentencepiece.bpe.model")
    tokenizer = NllbTokenizerFast(path, src_lang="eng_Latn", tgt_lang="fra_Latn")
    config = M2M100Config(vocab_size=len(tokenizer), max_length=20, **SIZES)
    return tokenizer, M2M100ForConditionalGeneration(config)


def _pegasus(folder: Path) -> tuple[Any, Any]:
    from transformers import PegasusConfig, PegasusForConditionalGeneration, PegasusTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    ids = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
    (folder / "spiece.model").write_bytes(pieces(SENTENCES, **ids))
    tokenizer = PegasusTokenizerFast(str(folder / "spiece.model"))
    options = {"scale_embedding": True, "num_beams": 4, "max_length": 20, "length_penalty": 0.6}
    config = PegasusConfig(vocab_size=len(tokenizer), activation_function="relu", **options, **SIZES)
    return tokenizer, PegasusForConditionalGeneration(config)


FAMILIES: dict[str, Callable[[Path], tuple[Any, Any]]] = {
    "marian": _marian,
    "marian-separate": lambda folder: _marian(folder, separate=True),
    "bart": _bart,
    "t5": _t5,
    "mt5": lambda folder: _t5(folder, feed_forward_proj="gated-gelu", tie_word_embeddings=False),
    "m2m100": _m2m100,
    "nllb": _nllb,
    "mbart": _mbart,
    "mbart50": _mbart50,
    "pegasus": _pegasus,
}
"""What makes a tokenizer and a model; files that it needs for that are put into the folder."""

LANGUAGES = {
    "m2m100": ("en", "fr"),
    "nllb": ("eng_Latn", "fra_Latn"),
    "mbart": ("en_XX", "fr_XX"),
    "mbart50": ("en_XX", "fr_XX"),
}
"""What those families translate from and to."""
