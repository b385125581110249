"""Tiny random encoder-decoders of Hugging Face's, saved, loaded back, and run as a step under our contract.

Runs where transformers is installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seq2seq_kit.interfaces import DecoderState, StepOutput

PAD, EOS = {"Marian": 0, "BART": 1, "T5": 0}, {"Marian": 2, "BART": 2, "T5": 1}
FAMILIES = tuple(PAD)
LENGTHS = 40
"""The positions that a model has."""


def build(family: str, vocab: int, seed: int, folder: Path) -> None:
    """Save a model of random weights, whose outputs are of many lengths."""
    torch.manual_seed(seed)
    model = _classes()[family](_configuration(family, vocab))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2 and "embed_positions" not in name:
                weight.normal_(0, _gain(name) / weight.shape[1] ** 0.5)
            elif weight.dim() == 1:
                weight.add_(torch.randn_like(weight) * 0.1)
        model.get_input_embeddings().weight.normal_(0, 0.5)  # the output's too, where they are tied
        output = model.get_output_embeddings().weight.normal_(0, 0.5)
        output[EOS[family]] *= 2  # now likely, now unlikely
        if family != "T5":  # which has no bias in its output
            model.final_logits_bias.normal_(0, 0.5)
            source, prefix = torch.randint(3, vocab, (2, 64, 8)).unbind()
            logits = model.eval()(input_ids=source, decoder_input_ids=prefix).logits.flatten(0, 1)
            behind = logits.amax(-1) - logits[:, EOS[family]]
            model.final_logits_bias[0, EOS[family]] += behind.quantile(0.2)  # so often the likeliest
    model.save_pretrained(folder, safe_serialization=True)


def _gain(name: str) -> float:
    if name.endswith(("q.weight", "k.weight", "q_proj.weight", "k_proj.weight")):  # sharp attention magnifies rounding
        return 0.35 if "Attention" in name else 0.7  # T5 does not scale its queries
    return 3.0 if "encoder_attn" in name or "EncDecAttention" in name else 1.5  # heed the source


def load(family: str, folder: Path) -> Any:
    """The saved model, whose generation has no defaults of its own left.

    It computes in float64 and gives float32, on both sides: so what is compared is the search, not how a matrix product
    rounds in a batch of another size.
    """
    from transformers import GenerationConfig

    model = _classes()[family].from_pretrained(folder).double().eval()
    model.register_forward_hook(_to_float32)
    start = EOS[family] if family == "BART" else PAD[family]
    model.generation_config = GenerationConfig(pad_token_id=PAD[family], decoder_start_token_id=start)
    return model


def _to_float32(_model: Any, _inputs: Any, output: Any) -> Any:
    output.logits = output.logits.float()
    return output


def _classes() -> dict[str, Any]:
    from transformers import BartForConditionalGeneration, MarianMTModel, T5ForConditionalGeneration

    return {"Marian": MarianMTModel, "BART": BartForConditionalGeneration, "T5": T5ForConditionalGeneration}


def _configuration(family: str, vocab: int) -> Any:
    from transformers import BartConfig, MarianConfig, T5Config

    common = {
        "vocab_size": vocab,
        "d_model": 16,
        "pad_token_id": PAD[family],
        "eos_token_id": EOS[family],
        "decoder_start_token_id": EOS[family] if family == "BART" else PAD[family],
        "forced_eos_token_id": None,
    }
    if family == "T5":
        return T5Config(d_kv=8, d_ff=32, num_layers=2, num_heads=2, tie_word_embeddings=False, **common)
    sizes = {"layers": 2, "attention_heads": 2, "ffn_dim": 32}
    sizes = {f"{side}_{name}": size for side in ("encoder", "decoder") for name, size in sizes.items()}
    kind = MarianConfig if family == "Marian" else BartConfig
    return kind(max_position_embeddings=LENGTHS, scale_embedding=True, **sizes, **common)


class PrefixStep:
    """A model's decoder as a step: it reads the whole prefix again each time, which needs no cache to be right."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def state(self, source: Tensor, mask: Tensor) -> DecoderState:
        """The start for ``source`` [B, S] with real tokens where ``mask`` [B, S] is 1."""
        with torch.inference_mode():
            memory = self._model.get_encoder()(input_ids=source, attention_mask=mask).last_hidden_state  # [B, S, H]
        tokens = torch.zeros(len(source), 1, 0, dtype=torch.int64)
        return DecoderState(history={"tokens": tokens}, sentences={"memory": memory, "mask": mask})

    def __call__(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        prefix = torch.cat([state.history["tokens"], tokens.unsqueeze(-1)], -1)  # [B, K, t + 1]
        memory, mask = (
            state.sentences[name].repeat_interleave(tokens.shape[1], 0) for name in ("memory", "mask")
        )  # [B * K, ...]
        logits = self._model(
            encoder_outputs=(memory,), attention_mask=mask, decoder_input_ids=prefix.flatten(0, 1), use_cache=False
        ).logits[:, -1]
        scores = logits.unflatten(0, tokens.shape)  # [B, K, V]
        return StepOutput(scores=scores, kind="logits", new_history={"tokens": tokens.unsqueeze(-1)})
