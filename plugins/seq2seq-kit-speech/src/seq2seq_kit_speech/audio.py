"""Recordings, read by libsndfile (WAV, FLAC, Ogg, MP3 and others), whole or in part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from seq2seq_kit import DataError


@dataclass(frozen=True)
class Recording:
    """A file, or a part of one, in seconds from its beginning."""

    path: Path
    start: float = 0.0
    end: float | None = None

    def __str__(self) -> str:
        if self.start == 0 and self.end is None:
            return str(self.path)
        return f"{self.path} ({self.start:g} to {'the end' if self.end is None else f'{self.end:g}'} s)"


@dataclass(frozen=True)
class Reader:
    """Reads recordings as samples of one rate. Several channels become one, their mean.

    Args:
        rate: samples a second.
        resample: convert recordings of another rate (by soxr); False: refuse them.
    """

    rate: int
    resample: bool = False

    def seconds(self, recording: Recording) -> float:
        """How long it is, by the file's header.

        Raises:
            DataError: the file is missing, is no audio, holds no sample, has another rate, or ends before the part.
        """
        with self._open(recording) as file:
            return self._part(recording, file)[1] / int(file.samplerate)

    def read(self, recording: Recording) -> NDArray[np.float32]:
        """Its samples [N], between -1 and 1.

        Raises:
            DataError: as :meth:`seconds`; or the file is cut off, or holds samples that are no numbers.
        """
        with self._open(recording) as file:
            first, count = self._part(recording, file)
            try:
                file.seek(first)
                samples = file.read(count, dtype="float32", always_2d=True).mean(1)
            except (soundfile.SoundFileError, RuntimeError) as error:
                raise DataError(f"{recording}: cannot be read to its end: {_reason(error)}") from None
            found = int(file.samplerate)
        if len(samples) < count:
            raise DataError(f"{recording}: is cut off: it holds {len(samples):,} of {count:,} samples")
        if not np.isfinite(samples).all():
            raise DataError(f"{recording}: holds samples that are no numbers")
        if found != self.rate:
            samples = soxr.resample(samples, found, self.rate)
        return np.asarray(samples, dtype=np.float32)

    def _open(self, recording: Recording) -> soundfile.SoundFile:
        if not recording.path.is_file():
            what = "is a folder, not a recording" if recording.path.is_dir() else "there is no such file"
            raise DataError(f"{recording.path}: {what}")
        try:
            file = soundfile.SoundFile(recording.path)
        except (soundfile.SoundFileError, RuntimeError, TypeError) as error:  # TypeError: raw samples, by the name
            raise DataError(f"{recording.path}: cannot be read as audio: {_reason(error)}") from None
        if file.samplerate != self.rate and not self.resample:
            file.close()
            raise DataError(
                f"{recording.path}: has {file.samplerate:,} samples a second, and the task reads {self.rate:,}: "
                "convert it, or let the task do so (resample: true)"
            )
        return file

    def _part(self, recording: Recording, file: soundfile.SoundFile) -> tuple[int, int]:
        """The first sample of a recording, and how many it has."""
        total, rate = int(file.frames), int(file.samplerate)
        end = total if recording.end is None else round(recording.end * rate)
        first = round(recording.start * rate)
        if total == 0:
            raise DataError(f"{recording.path}: is empty: it holds no sample")
        if first < 0 or (recording.end is not None and first >= end):
            raise DataError(f"{recording}: a part must begin at 0 s or later, and end after it begins")
        if first >= total or end > total + rate // 100:  # times are rounded
            raise DataError(f"{recording}: is {total / rate:g} s long, too short for that part")
        return first, min(end, total) - first


def _reason(error: Exception) -> str:
    return str(getattr(error, "error_string", error)).rstrip(".")
