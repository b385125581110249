"""Dialogue: what was said so far to what is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from seq2seq_kit.config import component_field
from seq2seq_kit.data.dialogues import Lines, alternating
from seq2seq_kit.data.fields import field_text, field_texts
from seq2seq_kit.data.readers import Examples
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Example, Output
from seq2seq_kit.tasks.pairs import PairConfig, PairTask

USER, SYSTEM = "<user>", "<system>"


class DialogueConfig(PairConfig):
    """Configuration of :class:`Dialogue`."""

    search_defaults: ClassVar[Mapping[str, Any]] = {
        "sampling": "tokens",
        "beam_size": 1,
        "top_p": 0.9,
        "temperature": 0.7,
        "no_repeat_ngram": 4,
        "max_length": 80,
    }

    name: str = "dialogue"
    shared_tokenizer: bool = True
    """One vocabulary for both speakers, learnt from both."""
    source_field: str = "context"
    """The name of the list of turns in JSONL data."""
    target_field: str = "response"
    """The name of the answer in JSONL data."""
    max_source_length: int = Field(default=128, ge=3)
    """Tokens of a context that are read, the marks of the speakers and the end symbol counted. The oldest turns are
    left out where there are more, and how often that was so is reported."""
    group_references: bool = False
    """In evaluation data, lines of one context are one example with all their responses as references; false: each
    line is scored alone."""
    metrics: list[component_field("metric")] = Field(  # type: ignore[valid-type]
        default=["bleu", "distinct1", "distinct2", "length"], min_length=1
    )
    """How outputs are scored; the first is the main one. ``s2s evaluate`` adds the perplexity of the responses."""

    @property
    def longest_source(self) -> int:
        """So that ``data.max_length`` is not below it."""
        return self.max_source_length

    @field_validator("copying")
    @classmethod
    def _copies_nothing(cls, value: bool) -> bool:
        if value:
            raise PydanticCustomError("sentence", "a dialogue copies no words of what was said: leave it out")
        return value


class Dialogue(PairTask):
    """Contexts of one or more turns and their responses.

    ``Example.source`` holds the turns, a line each, oldest first; the last is the user's, and the two speak in turn.
    Before each turn the model sees a mark, ``<user>`` or ``<system>``. Unless a run says otherwise, answers are drawn
    from the likeliest tokens that have together 0.9 of the probability, at temperature 0.7, without any four tokens
    twice: the likeliest answer of all is too often the same (Li et al. 2016, Holtzman et al. 2020).
    """

    config: DialogueConfig
    measures_perplexity = True

    def __init__(self, config: DialogueConfig) -> None:
        super().__init__(config)
        self._marked = self._mark([USER, SYSTEM])
        self._trimmed = self._read = 0

    def read(self, paths: Sequence[str], on_error: Literal["stop", "skip"] = "stop") -> Examples:
        """The answers in a file of conversations (see :class:`Lines`), or in records with a context and a response."""
        c, lines = self.config, Lines()

        def example(line: str) -> Example:
            turns, response = lines(line)
            return Example("\n".join(turns), response)

        fields = [c.source_field, c.target_field, *c.extra_fields]
        return Examples(paths, on_error, line=example, record=self.example, extra_fields=fields)

    def example(self, given: str | Mapping[str, Any]) -> Example:
        """A user's first turn; or a record with the turns so far and, where it has one, with the response."""
        if isinstance(given, str):
            return self.conversation([given])
        c = self.config
        example = self.conversation(given.get(c.source_field))
        if given.get(c.target_field) is not None:
            example.target = field_text(given, c.target_field)
        example.references = field_texts(given, "references")
        example.extras = {name: given[name] for name in c.extra_fields if name in given}
        return example

    def conversation(self, turns: Any) -> Example:
        """The example of turns, oldest first, the last one the user's; see :func:`alternating`."""
        return Example("\n".join(alternating(turns)))

    def learnt_from(self, example: Example) -> str:
        """The last turn, since those before it are other examples' own."""
        return example.source.rpartition("\n")[2]

    def encode_sources(self, sources: Sequence[str]) -> list[list[int]]:
        """Ids of contexts, at most ``max_source_length`` of each; they are counted for :meth:`notices`."""
        contexts = self._contexts(sources)
        self._read += sum(1 for source in sources if source)
        self._trimmed += sum(trimmed for _, trimmed in contexts)
        return [ids for ids, _ in contexts]

    def source_ids(self, example: Example) -> list[int]:
        """The ids of the context that are read, with the marks of the speakers."""
        [(ids, _)] = self._contexts([example.source])
        return ids

    def decode_copying(
        self, example: Example, hypotheses: Sequence[Hypothesis], dictionary: Mapping[str, str]
    ) -> Output:
        """Refused: what is copied would be a word of any turn, of either speaker."""
        raise UserError("Dialogue cannot replace unknown words")

    def sentences(self, example: Example) -> list[Example]:
        """The example: a context is answered as a whole."""
        return [example]

    def notices(self) -> list[str]:
        """How many contexts were trimmed since the last call."""
        trimmed, read = self._trimmed, self._read
        self._trimmed = self._read = 0
        if not trimmed:
            return []
        most = self.config.max_source_length
        return [
            f"trimmed {trimmed:,} of {read:,} contexts to {most} tokens, oldest turns first (task.max_source_length)"
        ]

    def _contexts(self, sources: Sequence[str]) -> list[tuple[list[int], bool]]:
        """The ids of each context, and whether something was left out."""
        conversations = [source.split("\n") for source in sources]
        distinct = list({turn: None for turns in conversations for turn in turns})  # a turn is in many contexts
        ids = dict(zip(distinct, self.source_tokenizer.encode(distinct), strict=True))
        return [self._context([ids[turn] for turn in turns]) for turns in conversations]

    def _context(self, turns: list[list[int]]) -> tuple[list[int], bool]:
        """Turns, the last one the user's, as one sequence: as many of the last turns as fit, and where the very last
        one does not, its end."""
        before, after = self.source_tokenizer.prefix, self.source_tokenizer.suffix
        room = self.config.max_source_length - len(before) - len(after)
        kept: list[int] = []
        for place, turn in enumerate(reversed(turns)):
            mark = self._marked.mark(SYSTEM if place % 2 else USER)
            if 1 + len(turn) + len(kept) > room:
                last = turn[len(turn) - room + 1 :] if place == 0 else None
                return [*before, *([mark, *last] if last is not None else kept), *after], True
            kept = [mark, *turn, *kept]
        return [*before, *kept, *after], False
