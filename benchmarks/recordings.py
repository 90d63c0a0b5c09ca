"""Sound and series, one thread: decoding and spectra against librosa, MiniRocket by the second."""

import io
import warnings
from typing import Any

import librosa
import numpy as np
import soundfile
import torch

from benchmarks.measure import Row, interleaved, rate, row
from plait.processors import AudioProcessor, MiniRocketProcessor
from plait.processors.series_cells import as_bytes
from plait.processors.spectrum import decibels, mel_spectrum, mfcc

CLIPS, SECONDS, RATE = 64, 3, 16_000


def run() -> list[Row]:
    """Clips a second."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    return [*_decoding(), *_spectra(), *_minirocket()]


def _decoding() -> list[Row]:
    """Clips of 3 s at 44.1 kHz → samples at 16 kHz."""
    random, rows = np.random.default_rng(0), []
    for kind, subtype in (("WAV", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")):
        files = []
        for _ in range(CLIPS // 2):
            buffer = io.BytesIO()
            noise = 0.1 * random.normal(size=44_100 * SECONDS)
            soundfile.write(buffer, noise, 44_100, format=kind, subtype=subtype)
            files.append(buffer.getvalue())
        processor = AudioProcessor()

        def theirs(files: list[bytes] = files) -> int:
            return len([librosa.load(io.BytesIO(data), sr=RATE, res_type="soxr_hq") for data in files])

        def ours(files: list[bytes] = files, processor: AudioProcessor = processor) -> int:
            return len([processor(data) for data in files])

        rates = interleaved({"librosa": lambda f=theirs: rate(f), "plait": lambda f=ours: rate(f)})  # type: ignore[misc]
        ratio = rates["plait"] / rates["librosa"]
        rows.append(row(f"recordings: decode {kind} 3 s to 16 kHz", rates["plait"], "clips/s", "librosa.load", ratio))
    return rows


def _spectra() -> list[Row]:
    """Batches of 64 clips of 3 s, at the sizes of speech and at librosa's own."""
    random = np.random.default_rng(0)
    clips = [(0.1 * random.normal(size=RATE * SECONDS)).astype(np.float32) for _ in range(CLIPS)]
    batch, length = torch.from_numpy(np.stack(clips)), torch.full((CLIPS,), RATE * SECONDS)
    rows = []
    for label, size, hop, mels in (("25 ms", 400, 160, 64), ("librosa's default", 2048, 512, 128)):
        shape: dict[str, Any] = {"sr": RATE, "n_fft": size, "hop_length": hop, "n_mels": mels, "pad_mode": "constant"}

        def their_mel(shape: dict[str, Any] = shape) -> int:
            return len([librosa.power_to_db(librosa.feature.melspectrogram(y=x, **shape), top_db=None) for x in clips])

        def their_mfcc(shape: dict[str, Any] = shape) -> int:
            return len([librosa.feature.mfcc(y=x, n_mfcc=20, **shape) for x in clips])

        def our_mel(size: int = size, hop: int = hop, mels: int = mels) -> int:
            return len(decibels(mel_spectrum(batch, RATE, mels, size, hop)))

        def our_mfcc(size: int = size, hop: int = hop, mels: int = mels) -> int:
            return len(mfcc(batch, length, RATE, 20, mels, size, hop))

        for name, theirs, ours in (("log-mel", their_mel, our_mel), ("MFCC", their_mfcc, our_mfcc)):
            rates = interleaved({"librosa": lambda f=theirs: rate(f), "plait": lambda f=ours: rate(f)})  # type: ignore[misc]
            ratio = rates["plait"] / rates["librosa"]
            rows.append(row(f"recordings: {name}, {label}", rates["plait"], "clips/s", "librosa", ratio))
    return rows


def _minirocket() -> list[Row]:
    """Series of 500 steps, 9,996 features; there is no peer that installs beside pandas 3."""
    random, rows = np.random.default_rng(0), []
    for channels in (1, 6):
        series = [as_bytes(random.normal(size=(500, channels)).cumsum(axis=0)) for _ in range(64)]
        processor = MiniRocketProcessor.fit(series)

        def ours(series: list[bytes] = series, processor: MiniRocketProcessor = processor) -> int:
            return len([processor(one) for one in series])

        value = interleaved({"plait": lambda f=ours: rate(f)})["plait"]  # type: ignore[misc]
        rows.append(row(f"recordings: MiniRocket, 500 steps of {channels}", value, "series/s", "", None))
    return rows
