"""The models that other toolkits train, and one plain training loop for them all.

Each maker returns the module and a function from a batch to the mean loss of its target tokens. Sizes as
:data:`SIZES`; dropout, where the toolkit has it, on embeddings and residuals alone.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from benchmarks.support.training_batches import BOS, EOS, PAD, VOCABULARY

if TYPE_CHECKING:
    from torch import Tensor, nn

    from seq2seq_kit.interfaces import Batch

Loss = Callable[["Batch"], "Tensor"]
SIZES = {"width": 256, "layers": 3, "heads": 4, "ff": 1024}
LSTM = {"width": 512, "layers": 2}


class PlainLoop:
    """What a training loop does in PyTorch: gradient, clipping, AdamW.

    Args:
        precision: ``float32``, ``float32, products medium`` or, by autocast, ``bfloat16``.
    """

    def __init__(self, module: nn.Module, loss: Loss, precision: str) -> None:
        import torch

        self.module = module.train()
        self._loss = loss
        self._precision = precision
        self._optimizer = torch.optim.AdamW(module.parameters(), betas=(0.9, 0.98), weight_decay=0.0, fused=True)

    def update(self, batch: Batch, rate: float) -> float:
        """One update at the learning rate ``rate``; the mean loss before it, in nats."""
        import torch

        for group in self._optimizer.param_groups:
            group["lr"] = rate
        torch.set_float32_matmul_precision("medium" if self._precision.endswith("medium") else "highest")
        self._optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self._precision == "bfloat16"):
            loss = self._loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self._optimizer.step()
        return loss.item()


def hugging_face(dropout: float) -> tuple[nn.Module, Loss]:
    """MarianMTModel: post-norm; its own loss."""
    from transformers import MarianConfig, MarianMTModel

    sides = {
        f"{side}_{name}": value
        for side in ("encoder", "decoder")
        for name, value in (("layers", SIZES["layers"]), ("attention_heads", SIZES["heads"]), ("ffn_dim", SIZES["ff"]))
    }
    config = MarianConfig(
        vocab_size=VOCABULARY,
        d_model=SIZES["width"],
        **sides,
        dropout=dropout,
        activation_function="relu",
        scale_embedding=True,
        max_position_embeddings=256,
        pad_token_id=PAD,
        eos_token_id=EOS,
        decoder_start_token_id=BOS,
        forced_eos_token_id=EOS,
        attn_implementation="sdpa",
    )
    model = MarianMTModel(config)

    def loss(batch: Batch) -> Tensor:
        assert batch.target is not None and batch.target_mask is not None
        labels = batch.target.masked_fill(~batch.target_mask, -100)
        output = model(input_ids=batch.source, attention_mask=batch.source_mask.long(), labels=labels, use_cache=False)
        return output.loss

    return model, loss


def joeynmt(dropout: float) -> tuple[nn.Module, Loss]:
    """JoeyNMT's Transformer: post-norm; its own loss. Its attention has the same dropout."""
    from joeynmt.model import build_model

    class Vocabulary:
        pad_index, bos_index, eos_index, unk_index, sep_index = PAD, BOS, EOS, 3, None
        specials: list[str] = []
        lang_tags: list[str] = []

        def __len__(self) -> int:
            return VOCABULARY

    side = {
        "type": "transformer",
        "num_layers": SIZES["layers"],
        "num_heads": SIZES["heads"],
        "hidden_size": SIZES["width"],
        "ff_size": SIZES["ff"],
        "dropout": dropout,
        "layer_norm": "post",
        "embeddings": {"embedding_dim": SIZES["width"], "scale": True, "dropout": dropout},
    }
    config = {
        "encoder": side,
        "decoder": side,
        "tied_embeddings": True,
        "tied_softmax": True,
        "embed_initializer": "xavier_uniform",
    }
    vocabulary = Vocabulary()
    model = build_model(config, vocabulary, vocabulary)
    model.loss_function = ("crossentropy", 0.0)

    def loss(batch: Batch) -> Tensor:
        assert batch.target is not None and batch.target_mask is not None
        total, *_ = model(
            return_type="loss",
            src=batch.source,
            src_mask=batch.source_mask.unsqueeze(1),
            src_length=batch.source_mask.sum(1),
            trg_input=_prefix(batch.target),
            trg=batch.target,
            trg_mask=batch.target_mask.unsqueeze(1),
        )
        return total / batch.target_mask.sum()

    return model, loss


def opennmt(dropout: float) -> tuple[nn.Module, Loss]:
    """OpenNMT-py's Transformer, which is pre-norm; PyTorch's loss, which is what it takes."""
    import torch
    from torch import nn

    folder = importlib.util.find_spec("joeynmt").submodule_search_locations[0].removesuffix("joeynmt")  # type: ignore
    for name in ("onmt", "onmt.models", "onmt.inputters", "onmt.utils", "onmt.encoders", "onmt.decoders"):
        package: Any = ModuleType(name)  # the package without what its __init__ imports, which training needs not
        package.__path__ = [folder + name.replace(".", "/")]
        sys.modules[name] = package
    encoders = importlib.import_module("onmt.encoders.transformer")
    decoders = importlib.import_module("onmt.decoders.transformer")
    modules = importlib.import_module("onmt.modules")
    model_class = importlib.import_module("onmt.models.model").NMTModel

    embeddings = modules.Embeddings(SIZES["width"], VOCABULARY, PAD, position_encoding=True, dropout=dropout)
    sizes = (SIZES["layers"], SIZES["width"], SIZES["heads"], SIZES["ff"])
    encoder = encoders.TransformerEncoder(*sizes, dropout, 0.0, embeddings, 0, 0)
    decoder = decoders.TransformerDecoder(
        *sizes, False, "scaled-dot", dropout, 0.0, embeddings, 0, 0, False, False, -1, 0
    )
    model = model_class(encoder, decoder)
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
        elif name.endswith("bias"):  # they start as whatever was in memory
            nn.init.zeros_(parameter)
    model.generator = nn.Linear(SIZES["width"], VOCABULARY)
    model.generator.weight = embeddings.word_lut.weight

    def loss(batch: Batch) -> Tensor:
        assert batch.target is not None and batch.target_mask is not None
        whole = torch.cat([_prefix(batch.target), batch.target[:, -1:]], 1)  # the model leaves the last token out
        hidden, _ = model(batch.source.unsqueeze(-1), whole.unsqueeze(-1), batch.source_mask.sum(1))
        scores = model.generator(hidden.flatten(0, 1))
        return nn.functional.cross_entropy(scores, batch.target.flatten(), ignore_index=PAD)

    return model, loss


def plain_lstm(dropout: float) -> tuple[nn.Module, Loss]:
    """``nn.LSTM`` to read and to write, Luong's general attention (2015) over all positions at once."""
    import torch
    from torch import nn
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    width, layers = LSTM["width"], LSTM["layers"]
    model = nn.ModuleDict(
        {
            "source": nn.Embedding(VOCABULARY, width, padding_idx=PAD),
            "target": nn.Embedding(VOCABULARY, width, padding_idx=PAD),
            "encoder": nn.LSTM(width, width, layers, batch_first=True, dropout=dropout),
            "decoder": nn.LSTM(width, width, layers, batch_first=True, dropout=dropout),
            "key": nn.Linear(width, width, bias=False),
            "combine": nn.Linear(2 * width, width, bias=False),
            "output": nn.Linear(width, VOCABULARY),
            "dropout": nn.Dropout(dropout),
        }
    )

    def loss(batch: Batch) -> Tensor:
        assert batch.target is not None and batch.target_mask is not None
        lengths = batch.source_mask.sum(1)
        packed = pack_padded_sequence(
            model.dropout(model.source(batch.source)), lengths, batch_first=True, enforce_sorted=False
        )
        packed_states, final = model.encoder(packed)
        memory, _ = pad_packed_sequence(packed_states, batch_first=True)  # [B, S, H]
        hidden, _ = model.decoder(model.dropout(model.target(_prefix(batch.target))), final)  # [B, T, H]
        energies = hidden @ model.key(memory).transpose(1, 2)  # [B, T, S]
        weights = energies.masked_fill(~batch.source_mask.unsqueeze(1), float("-inf")).softmax(-1)
        combined = torch.tanh(model.combine(torch.cat([weights @ memory, hidden], -1)))
        scores = model.output(model.dropout(combined)).flatten(0, 1)
        return nn.functional.cross_entropy(scores, batch.target.flatten(), ignore_index=PAD)

    return model, loss


def _prefix(target: Tensor) -> Tensor:
    from seq2seq_kit.interfaces import shift_right

    return shift_right(target, BOS)
