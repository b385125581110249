"""What this distribution provides; the module that its entry point names. It must not import torch."""

from seq2seq_kit import Component, hookimpl

CLASSES = {
    "encoder": "FrozenEncoder",
    "decoder": "FrozenDecoder",
    "attention": "FrozenAttention",
    "task": "FrozenTask",
    "tokenizer": "FrozenTokenizer",
    "criterion": "FrozenCriterion",
    "metric": "FrozenMetric",
    "processor": "FrozenProcessor",
    "transform": "FrozenTransform",
    "schedule": "FrozenSchedule",
    "callback": "FrozenCallback",
}


@hookimpl
def register_components():
    for kind, cls in CLASSES.items():
        target = f"s2s_frozen.{kind}:{cls}"
        verb = "frozen" if kind == "task" else None
        yield Component(kind, "frozen", target, f"{target}Config", "as it was", 1, verb)


@hookimpl
def register_commands(cli):
    @cli.command("thaw")
    def thaw():
        """Say hello."""
        print("drip")
