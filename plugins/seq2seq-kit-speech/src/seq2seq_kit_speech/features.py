"""Log-mel features: the energy of a recording in bands of frequency as the ear has them, a frame every 10 ms."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FLOOR = 1e-5
"""Added to energies before the logarithm, which digital silence has none of."""


class LogMel:
    """Samples [N] to frames [S, bins], S = 1 + (N - window) // shift; fewer samples than a window make no frame.

    Each window is weighted by a Hann window; the squares of its Fourier transform are summed under ``bins`` triangles
    of equal width on the mel scale, 2595 log10(1 + f / 700), from 20 Hz to half the rate. Each band of a recording
    then has mean 0 and variance 1, which takes out loudness and microphone.

    Args:
        rate: samples a second.
        window, shift: in milliseconds.
    """

    def __init__(self, rate: int, bins: int, window: float, shift: float) -> None:
        self.window, self.shift = round(rate * window / 1000), round(rate * shift / 1000)
        self._fft = 2 ** math.ceil(math.log2(self.window))
        self._hann = torch.hann_window(self.window, periodic=False)
        self._filters = mel_filters(rate, bins, self._fft)

    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """[N] -> [S, bins]"""
        if len(samples) < self.window:
            return np.zeros((0, self._filters.shape[1]), np.float32)
        windows = torch.from_numpy(samples).unfold(0, self.window, self.shift)  # [S, window]
        energies = torch.fft.rfft(windows * self._hann, self._fft).abs().square()  # [S, fft / 2 + 1]
        frames = (energies @ self._filters + FLOOR).log()
        deviation, mean = torch.std_mean(frames, 0, correction=0)
        normal: NDArray[np.float32] = ((frames - mean) / deviation.clamp(min=1e-3)).numpy()
        return normal


def mel_filters(rate: int, bins: int, fft: int, low: float = 20.0) -> Tensor:
    """The weight of each frequency in each band, [fft / 2 + 1, bins]."""
    frequencies = torch.linspace(0, rate / 2, fft // 2 + 1, dtype=torch.float64)
    low_mel, high_mel = (2595 * math.log10(1 + f / 700) for f in (low, rate / 2))
    mels = torch.linspace(low_mel, high_mel, bins + 2, dtype=torch.float64)
    edges = 700 * (10 ** (mels / 2595) - 1)  # of the triangles: each begins in the middle of the one before it
    left, middle, right = edges[:-2], edges[1:-1], edges[2:]
    rising = (frequencies.unsqueeze(1) - left) / (middle - left)
    falling = (right - frequencies.unsqueeze(1)) / (right - middle)
    return torch.minimum(rising, falling).clamp(min=0).float()
