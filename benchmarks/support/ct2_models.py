"""Tiny random encoder-decoders, each as CTranslate2's converter makes it and as a step under our contract.

Runs where ctranslate2 and transformers are installed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from seq2seq_kit.interfaces import DecoderState, StepOutput

LENGTHS = 40
"""The positions that a model has."""


@dataclass(frozen=True)
class Family:
    """Where a family keeps its special tokens."""

    name: str
    pad: int
    eos: int
    unk: int
    start: int
    """What the decoder is fed first."""
    reads_prefixes: bool = True
    """Whether CTranslate2, which reads the prefix of alternatives at once, then scores as it does token by token."""

    def vocabulary(self, size: int) -> list[str]:
        """The tokens by id. Marian's padding comes last, because its converter leaves it out."""
        special = {self.pad: "<pad>", self.eos: "</s>", self.unk: "<unk>"}
        return [special.get(i, f"w{i}") for i in range(size)]


VOCABULARY = 40
FAMILIES = {
    "Marian": Family("Marian", pad=VOCABULARY - 1, eos=0, unk=1, start=VOCABULARY - 1, reads_prefixes=False),
    "BART": Family("BART", pad=1, eos=2, unk=3, start=2),
    "T5": Family("T5", pad=0, eos=1, unk=2, start=0, reads_prefixes=False),
    "Pegasus": Family("Pegasus", pad=0, eos=1, unk=2, start=0),
}


def build(family: Family, seed: int) -> Any:
    """A model of random weights that heeds its source and ends after some tokens, now more, now fewer."""
    torch.manual_seed(seed)
    model = _network(family)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2 and "embed_positions" not in name:
                gain = 3.0 if "encoder_attn" in name or "EncDecAttention" in name else 1.5
                if any(part in name for part in ("q_proj", "k_proj", ".q.", ".k.")):
                    gain = 0.5 if family.name == "T5" else 0.8  # soft attention: coverage sums logarithms
                weight.normal_(0, gain / weight.shape[1] ** 0.5)
            elif weight.dim() == 1:
                weight.add_(torch.randn_like(weight) * 0.1)
        model.get_input_embeddings().weight.normal_(0, 0.5)
        if family.name == "Marian":
            model.get_input_embeddings().weight[family.pad] = 0  # CTranslate2 starts from zeros
        output = model.get_output_embeddings().weight.normal_(0, 0.5)
        if family.name == "T5":  # which has no bias in its output
            output[family.eos] *= 2
        else:
            model.final_logits_bias.normal_(0, 0.5)
            source, prefix = torch.randint(3, VOCABULARY - 1, (2, 64, 8)).unbind()
            logits = model.eval()(input_ids=source, decoder_input_ids=prefix).logits.flatten(0, 1)
            behind = logits.amax(-1) - logits[:, family.eos]
            model.final_logits_bias[0, family.eos] += behind.quantile(0.2)  # so often the likeliest
    return model.eval()


def _network(family: Family) -> Any:
    import transformers

    common = {
        "vocab_size": VOCABULARY,
        "d_model": 16,
        "pad_token_id": family.pad,
        "eos_token_id": family.eos,
        "decoder_start_token_id": family.start,
        "forced_eos_token_id": None,
        # Where the output is the embedding, a token likes best to follow itself; BART cannot be saved otherwise.
        "tie_word_embeddings": family.name == "BART",
        "attn_implementation": "eager",  # gives attention weights
    }
    if family.name == "T5":
        sizes = {"d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
        return transformers.T5ForConditionalGeneration(transformers.T5Config(**sizes, **common))
    sizes = {"layers": 2, "attention_heads": 2, "ffn_dim": 32}
    sizes = {f"{side}_{name}": size for side in ("encoder", "decoder") for name, size in sizes.items()}
    kinds = {
        "Marian": (transformers.MarianMTModel, transformers.MarianConfig),
        "BART": (transformers.BartForConditionalGeneration, transformers.BartConfig),
        "Pegasus": (transformers.PegasusForConditionalGeneration, transformers.PegasusConfig),
    }
    network, configuration = kinds[family.name]
    # The converter reads these two where the models have their norms; the models themselves do not.
    norms = {"normalize_before": family.name == "Pegasus", "normalize_embedding": family.name == "BART"}
    return network(configuration(max_position_embeddings=LENGTHS, scale_embedding=True, **sizes, **norms, **common))


def convert(model: Any, family: Family, folder: Path) -> Any:
    """The model as a float32 ``Translator``, converted as from a saved one."""
    import ctranslate2
    from ctranslate2.converters import TransformersConverter

    saved, converted = folder / "transformers", folder / "ctranslate2"
    model.save_pretrained(saved, safe_serialization=True)
    vocabulary = family.vocabulary(VOCABULARY)
    tokenizer = SimpleNamespace(
        get_vocab=lambda: {token: i for i, token in enumerate(vocabulary)},
        convert_ids_to_tokens=vocabulary.__getitem__,
        bos_token=vocabulary[family.start],
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
    )
    converter = TransformersConverter(str(saved))
    converter.load_tokenizer = lambda *_, **__: tokenizer  # a random model has no tokenizer to load
    converter.convert(str(converted), quantization="float32")
    return ctranslate2.Translator(str(converted), compute_type="float32", intra_threads=1)


class Step:
    """The model's decoder as a step that reads the whole prefix again each time; attention as CTranslate2 shows it."""

    def __init__(self, model: Any, family: Family) -> None:
        self.model, self.family = model, family
        self.vocabulary = VOCABULARY - (family.name == "Marian")

    def state(self, sources: Sequence[Sequence[int]]) -> DecoderState:
        """The start for these sources, padded."""
        lengths = torch.tensor([len(source) for source in sources])
        ids = torch.full((len(sources), int(lengths.max())), self.family.pad)
        for row, source in zip(ids, sources, strict=True):
            row[: len(source)] = torch.tensor(source)
        mask = (torch.arange(ids.shape[1]) < lengths.unsqueeze(1)).long()  # [B, S]
        with torch.inference_mode():
            memory = self.model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state  # [B, S, H]
        tokens = torch.zeros(len(sources), 1, 0, dtype=torch.int64)
        return DecoderState(history={"tokens": tokens}, sentences={"memory": memory, "mask": mask})

    def __call__(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        prefix = torch.cat([state.history["tokens"], tokens.unsqueeze(-1)], -1)  # [B, K, t + 1]
        memory, mask = (state.sentences[name].repeat_interleave(tokens.shape[1], 0) for name in ("memory", "mask"))
        output = self.model(
            encoder_outputs=(memory,),
            attention_mask=mask,
            decoder_input_ids=prefix.flatten(0, 1),
            use_cache=False,
            output_attentions=True,
        )
        scores = output.logits[:, -1, : self.vocabulary].float().unflatten(0, tokens.shape)  # [B, K, V]
        attention = output.cross_attentions[-1][:, 0, -1].unflatten(0, tokens.shape)  # the last layer's first head
        return StepOutput(scores, new_history={"tokens": tokens.unsqueeze(-1)}, attention=attention)

    def of_prefix(self, source: Sequence[int]) -> tuple[Callable[[list[int]], Tensor], Callable[[list[int]], Tensor]]:
        """Scores [V] and attention [S] as functions of a prefix, for the slow reference."""
        state = self.state([source])

        @functools.cache
        def step(prefix: tuple[int, ...]) -> StepOutput:
            *before, last = (self.family.start, *prefix)
            state.history = {"tokens": torch.tensor([[before]], dtype=torch.int64)}
            with torch.inference_mode():
                return self(torch.tensor([[last]]), torch.tensor([len(prefix)]), state)

        def attention(prefix: list[int]) -> Tensor:
            shown = step(tuple(prefix)).attention
            assert shown is not None
            return shown[0, 0]

        return lambda prefix: step(tuple(prefix)).scores[0, 0], attention
