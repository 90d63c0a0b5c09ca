"""Spectra of sound on torch, in batches: power, mel, decibels, MFCC, and Kaldi's filter banks.

Shapes: U sounds, N samples, T frames, M mel bands, K coefficients. Frames are centred, and beyond a sound's ends lies
silence (as in librosa; torch's own STFT mirrors the sound there), so that padding in a batch changes nothing.
"""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

TOP_DB = 80.0
FLOOR = 1e-10  # power below which a decibel means nothing
# Slaney's mel scale: linear below 1 kHz, logarithmic above.
LINEAR_STEP, BREAK_HZ, LOG_STEP = 200 / 3, 1000.0, math.log(6.4) / 27


def frames_of(length: Tensor, hop: int) -> Tensor:
    """Frames of sounds of so many samples: one every `hop`, the first at 0.

    >>> frames_of(torch.tensor([1, 159, 160]), 160).tolist()
    [1, 1, 2]
    """
    return torch.div(length, hop, rounding_mode="floor") + 1


def power_spectrum(wave_UN: Tensor, size: int, hop: int) -> Tensor:
    """`[U, N]` → `[U, size // 2 + 1, T]` squared magnitudes of a Hann-windowed STFT.

    Args:
        wave_UN: samples.
        size: of a window, in samples.
        hop: from one frame to the next, in samples.
    """
    window = torch.hann_window(size, device=wave_UN.device, dtype=wave_UN.dtype)
    stft = torch.stft(wave_UN, size, hop, window=window, center=True, pad_mode="constant", return_complex=True)
    return stft.real.square() + stft.imag.square()


def mel_spectrum(wave_UN: Tensor, rate: int, mels: int, size: int, hop: int) -> Tensor:
    """`[U, N]` → `[U, M, T]` power in mel bands; librosa's `melspectrogram(…, pad_mode="constant")`.

    Args:
        wave_UN: samples.
        rate: Hz.
        mels: bands, from 0 to half of the rate.
        size, hop: of a window and from one to the next, in samples.

    >>> mel_spectrum(torch.zeros(2, 16_000), 16_000, mels=40, size=400, hop=160).shape
    torch.Size([2, 40, 101])
    """
    weights = mel_weights(rate, size, mels).to(wave_UN.device, wave_UN.dtype)
    return weights @ power_spectrum(wave_UN, size, hop)


def decibels(power: Tensor) -> Tensor:
    """Power → decibels, at least -100; librosa's `power_to_db(…, top_db=None)`.

    >>> decibels(torch.tensor([1.0, 0.01, 0.0])).tolist()
    [0.0, -20.0, -100.0]
    """
    return 10.0 * torch.log10(power.clamp(min=FLOOR))


def mfcc(wave_UN: Tensor, length_U: Tensor, rate: int, count: int, mels: int, size: int, hop: int) -> Tensor:
    """`[U, N]` → `[U, K, T]` cepstral coefficients; librosa's `mfcc(…, pad_mode="constant")`.

    Quiet bands are raised to 80 dB below the loudest of the same sound, whatever stands beside it in the batch.

    Args:
        wave_UN: samples, padded.
        length_U: samples of each.
        rate: Hz.
        count: K.
        mels, size, hop: as in `mel_spectrum`.
    """
    bands = decibels(mel_spectrum(wave_UN, rate, mels, size, hop))
    real = torch.arange(bands.shape[2], device=bands.device) < frames_of(length_U, hop).unsqueeze(1)
    loudest = bands.masked_fill(~real.unsqueeze(1), -torch.inf).amax(dim=(1, 2), keepdim=True)
    return _cosines(count, mels).to(bands.device, bands.dtype) @ torch.maximum(bands, loudest - TOP_DB)


def whisper_mel(wave_UN: Tensor, mels: int = 80) -> Tensor:
    """`[U, N]` at 16 kHz → `[U, M, N // 160]` log-mel frames as Whisper was trained on (2212.04356).

    They end 8 powers of ten below the loudest of the same sound. Only here the sound is mirrored beyond its ends.
    """
    window = torch.hann_window(400, device=wave_UN.device, dtype=wave_UN.dtype)
    stft = torch.stft(wave_UN, 400, 160, window=window, center=True, pad_mode="reflect", return_complex=True)[..., :-1]
    weights = mel_weights(16_000, 400, mels).to(wave_UN.device, wave_UN.dtype)
    log = (weights @ (stft.real.square() + stft.imag.square())).clamp(min=FLOOR).log10()
    return (torch.maximum(log, log.amax(dim=(1, 2), keepdim=True) - 8.0) + 4.0) / 4.0


def kaldi_bank(wave_UN: Tensor, rate: int, mels: int = 128) -> Tensor:
    """`[U, N]` → `[U, T, M]` Kaldi's log filter banks, as AST was trained on (2104.01778).

    Windows of 25 ms every 10 ms lie within the sound, so the shortest has one; the mean of each is taken out,
    and high frequencies are raised (0.97). As in transformers, samples in -1..1 are not scaled to 16 bits before.
    """
    size, hop = rate * 25 // 1000, rate // 100
    padded = F.pad(wave_UN, (0, max(0, size - wave_UN.shape[1])))
    frames = padded.unfold(1, size, hop)
    frames = frames - frames.mean(dim=2, keepdim=True)
    before = torch.cat([frames[..., :1], frames[..., :-1]], dim=2)
    frames = frames - 0.97 * before
    window = torch.hann_window(size, periodic=False, device=wave_UN.device, dtype=wave_UN.dtype)
    fft = 1 << (size - 1).bit_length()
    spectrum = torch.fft.rfft(frames * window, n=fft)
    power = spectrum.real.square() + spectrum.imag.square()
    weights = _kaldi_weights(rate, fft, mels).to(wave_UN.device, wave_UN.dtype)
    return (power @ weights.T).clamp(min=1.192092955078125e-07).log()


@lru_cache(maxsize=16)
def mel_weights(rate: int, size: int, mels: int) -> Tensor:
    """`[M, size // 2 + 1]` triangles on Slaney's mel scale, each of area one (librosa's default)."""
    hertz = torch.linspace(0, rate / 2, size // 2 + 1, dtype=torch.float64)
    corners = _to_hertz(torch.linspace(0, float(_to_mel(rate / 2)), mels + 2, dtype=torch.float64))
    widths = corners.diff()
    ramps = corners.unsqueeze(1) - hertz
    rise, fall = -ramps[:-2] / widths[:-1].unsqueeze(1), ramps[2:] / widths[1:].unsqueeze(1)
    triangles = torch.minimum(rise, fall).clamp(min=0)
    return (triangles * (2 / (corners[2:] - corners[:-2])).unsqueeze(1)).float()


def _to_mel(hertz: float) -> float:
    if hertz < BREAK_HZ:
        return hertz / LINEAR_STEP
    return BREAK_HZ / LINEAR_STEP + math.log(hertz / BREAK_HZ) / LOG_STEP


def _to_hertz(mel: Tensor) -> Tensor:
    first = BREAK_HZ / LINEAR_STEP
    return torch.where(mel < first, mel * LINEAR_STEP, BREAK_HZ * torch.exp(LOG_STEP * (mel - first)))


@lru_cache(maxsize=16)
def _cosines(count: int, mels: int) -> Tensor:
    """`[K, M]` the orthonormal discrete cosine transform of type 2."""
    places = (torch.arange(mels, dtype=torch.float64) + 0.5) * math.pi / mels
    table = torch.cos(torch.arange(count, dtype=torch.float64).unsqueeze(1) * places) * math.sqrt(2 / mels)
    table[0] /= math.sqrt(2)
    return table.float()


@lru_cache(maxsize=16)
def _kaldi_weights(rate: int, fft: int, mels: int, low: float = 20.0) -> Tensor:
    """`[M, fft // 2 + 1]` triangles on Kaldi's mel scale, straight in mel; none reaches half of the rate."""
    places = torch.arange(fft // 2 + 1, dtype=torch.float64) * rate / fft
    mel = 1127.0 * torch.log1p(places / 700.0)
    first, last = 1127.0 * math.log1p(low / 700.0), 1127.0 * math.log1p(rate / 2 / 700.0)
    corners = torch.linspace(first, last, mels + 2, dtype=torch.float64)
    rise = (mel - corners[:-2].unsqueeze(1)) / (corners[1:-1] - corners[:-2]).unsqueeze(1)
    fall = (corners[2:].unsqueeze(1) - mel) / (corners[2:] - corners[1:-1]).unsqueeze(1)
    triangles = torch.minimum(rise, fall).clamp(min=0)
    triangles[:, -1] = 0
    return triangles.float()
