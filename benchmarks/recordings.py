"""Sound, series and video, one thread: decoding and spectra against librosa, frames against PyAV, MiniRocket alone."""

import io
import warnings
from typing import Any

import av
import librosa
import numpy as np
import soundfile
import torch

from benchmarks.measure import Row, interleaved, rate, row
from plait.encoders import TimmImage, VideoEncoder
from plait.features.engine import choose_engine
from plait.processors import AudioProcessor, MiniRocketProcessor, VideoProcessor
from plait.processors.series_cells import as_bytes
from plait.processors.spectrum import decibels, mel_spectrum, mfcc
from plait.training.precision import has_bfloat16

CLIPS, SECONDS, RATE = 64, 3, 16_000


def run() -> list[Row]:
    """Clips a second."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    return [*_decoding(), *_spectra(), *_minirocket(), *_frames()]


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


def _frames() -> list[Row]:
    """Eight frames of 60 s at 640 x 360 with a key frame every 2 s, as 224 x 224; and a network's features of them."""
    random, buffer = np.random.default_rng(0), io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 640, 360, "yuv420p", 60
        noise = random.integers(0, 255, (45, 80, 3), dtype=np.uint8)
        for place in range(1800):
            pixels = np.roll(noise, place // 4, axis=1).repeat(8, axis=0).repeat(8, axis=1)
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    video, processor = buffer.getvalue(), VideoProcessor({"size": 224}, frames=8)

    def theirs() -> int:
        """All frames from the start, of which eight are kept: a loop as most write it."""
        with av.open(io.BytesIO(video)) as container:
            frames = [frame.to_image() for place, frame in enumerate(container.decode(video=0)) if place % 225 == 112]
        return len([np.asarray(frame.resize((224, 224))) for frame in frames])

    def ours() -> int:
        return len(processor(video)["pixels"])

    rates = interleaved({"PyAV": lambda: rate(theirs), "plait": lambda: rate(ours)})
    ratio = rates["plait"] / rates["PyAV"]
    rows = [row("recordings: 8 frames of 60 s of video", rates["plait"], "frames/s", "PyAV, all frames", ratio)]
    encoder = TimmImage(processor.of_frames, "tf_efficientnet_lite0", pretrained=False)
    made = VideoEncoder(processor, encoder, "mean").eval().requires_grad_(False)
    batch = processor.collate([processor(video)] * 2)
    engine = choose_engine(made.before, batch, 64, has_bfloat16(torch.device("cpu")))

    def eager() -> int:
        with torch.inference_mode():
            return 8 * len(made.before(batch).x)

    def fastest() -> int:
        return 8 * len(engine.run(batch))

    rates = interleaved({"eager": lambda: rate(eager), "plait": lambda: rate(fastest)})
    ratio = rates["plait"] / rates["eager"]
    name = f"recordings: frame features, EfficientNet-Lite0 ({engine.name})"
    return [*rows, row(name, rates["plait"], "frames/s", "eager float32", ratio)]


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
