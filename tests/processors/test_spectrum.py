"""Spectra against librosa, and against the feature extractors of the models that read them."""

import warnings

import numpy as np
import pytest
import torch

from plait.processors.spectrum import (
    decibels,
    frames_of,
    kaldi_bank,
    mel_spectrum,
    mel_weights,
    mfcc,
    power_spectrum,
    whisper_mel,
)

RATE = 16_000
LENGTHS = [1, 159, 400, 16_000, 33_333]
SIZES = [(64, 400, 160), (80, 512, 128), (40, 1024, 256)]


def waves() -> tuple[list[np.ndarray], torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(0)
    each = [(0.1 * random.normal(size=n) + 0.2 * np.sin(np.arange(n) / 7)).astype(np.float32) for n in LENGTHS]
    padded = np.zeros((len(each), max(LENGTHS)), np.float32)
    for row, wave in zip(padded, each, strict=True):
        row[: len(wave)] = wave
    return each, torch.from_numpy(padded), torch.tensor(LENGTHS)


@pytest.mark.parametrize(("mels", "size", "hop"), SIZES)
def test_batches_equal_librosa_one_by_one(mels: int, size: int, hop: int) -> None:
    librosa = pytest.importorskip("librosa")
    each, padded, lengths = waves()
    bands = decibels(mel_spectrum(padded, RATE, mels, size, hop)).numpy()
    cepstra = mfcc(padded, lengths, RATE, 20, mels, size, hop).numpy()
    shape = {"sr": RATE, "n_fft": size, "hop_length": hop, "n_mels": mels, "pad_mode": "constant"}
    for number, wave in enumerate(each):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # librosa's, that a window is longer than the sound
            expected = librosa.power_to_db(librosa.feature.melspectrogram(y=wave, **shape), top_db=None)
            coefficients = librosa.feature.mfcc(y=wave, n_mfcc=20, **shape)
        frames = int(frames_of(lengths, hop)[number])
        assert expected.shape[1] == frames
        np.testing.assert_allclose(bands[number, :, :frames], expected, atol=1e-4)
        np.testing.assert_allclose(cepstra[number, :, :frames], coefficients, atol=1e-4)


def test_mel_bands_are_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    for rate, size, mels in ((16_000, 400, 80), (22_050, 2048, 128), (8_000, 256, 20)):
        expected = librosa.filters.mel(sr=rate, n_fft=size, n_mels=mels)
        np.testing.assert_allclose(mel_weights(rate, size, mels).numpy(), expected, atol=1e-7)


def test_a_tone_stands_where_it_should() -> None:
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(RATE) / RATE)[None]
    power = power_spectrum(tone, 400, 160)[0]
    assert power[:, 50].argmax() == 25  # 1,000 Hz of 8,000 in 200 steps


def test_whispers_frames_are_transformers() -> None:
    transformers = pytest.importorskip("transformers")
    wave = waves()[0][4]
    padded = np.pad(wave, (0, 480_000 - len(wave)))
    expected = transformers.WhisperFeatureExtractor()(wave, sampling_rate=RATE, return_tensors="np").input_features[0]
    np.testing.assert_allclose(whisper_mel(torch.from_numpy(padded)[None])[0].numpy(), expected, atol=2e-3)


def test_kaldis_banks_are_transformers() -> None:
    transformers = pytest.importorskip("transformers")
    extractor = transformers.ASTFeatureExtractor(do_normalize=False)
    for wave in waves()[0][3:]:
        bank = kaldi_bank(torch.from_numpy(wave)[None], RATE)[0].numpy()
        expected = extractor(wave, sampling_rate=RATE, return_tensors="np").input_values[0]
        np.testing.assert_allclose(bank, expected[: len(bank)], atol=5e-3)
        assert not expected[len(bank) :].any()
