"""Our side of the comparison of training loops: the models of :mod:`training_peers`, and the trainer's own update."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.support.training_batches import VOCABULARY
from benchmarks.support.training_peers import LSTM, SIZES

if TYPE_CHECKING:
    from seq2seq_kit.interfaces import Batch


def model(family: str, dropout: float) -> Any:
    """Our Transformer or LSTM of the same sizes."""
    from seq2seq_kit.interfaces import SourceSpec, TargetSpec
    from seq2seq_kit.model import build_model
    from seq2seq_kit.run_config import ModelConfig

    sides: dict[str, Any]
    if family == "Transformer":
        both = {
            "name": "transformer",
            "size": SIZES["width"],
            "layers": SIZES["layers"],
            "heads": SIZES["heads"],
            "feed_forward_size": SIZES["ff"],
            "norm_position": "post",
            "dropout": dropout,
        }
        sides = {"encoder": both, "decoder": both, "share_embeddings": True}
    else:
        both = {"name": "lstm", "embedding_size": LSTM["width"], "size": LSTM["width"], "layers": LSTM["layers"]}
        both["dropout"] = dropout
        sides = {"encoder": both, "decoder": {**both, "attention": "luong"}}
    config = ModelConfig.model_validate(sides)
    return build_model(config, SourceSpec(VOCABULARY), TargetSpec(VOCABULARY), shared_vocabulary=True)


class OurLoop:
    """What ``s2s train`` does for an update."""

    def __init__(self, module: Any, precision: str) -> None:
        import torch

        from seq2seq_kit.criteria.cross_entropy import CrossEntropy, CrossEntropyConfig
        from seq2seq_kit.interfaces import TargetSpec
        from seq2seq_kit.run_config import TrainingConfig
        from seq2seq_kit.training.learner import Learner
        from seq2seq_kit.training.optimizers import make_optimizer
        from seq2seq_kit.training.processes import Processes
        from seq2seq_kit.training.update import Updater

        config = TrainingConfig(
            max_steps=1,
            optimizer="adamw",
            precision="bfloat16" if precision == "bfloat16" else "float32",
            matmul_precision="medium" if precision.endswith("medium") else "highest",
        )
        self.module = Learner(module, CrossEntropy(CrossEntropyConfig(), TargetSpec(VOCABULARY))).train()
        self._update = Updater(config, self.module, make_optimizer(config, self.module), Processes(torch.device("cpu")))

    def update(self, batch: Batch, rate: float) -> float:
        """One update at the learning rate ``rate``; the mean loss before it, in nats."""
        return self._update([batch], rate, 1.0).loss
