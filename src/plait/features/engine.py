"""The fastest way to run a frozen encoder here: candidates are timed on the user's own rows and held to float32."""

import copy
import hashlib
import importlib.metadata
import importlib.util
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from plait.encoders.layout import WHERE, layout_of, where_width
from plait.encoders.tuning import device_of

Features = dict[str, Tensor]
CLOSE = 0.9999  # smallest cosine to eager float32 that any row may have
PAYS = 2  # how many times its set-up the work must last, as fast as found so far, before a candidate is tried
ENOUGH = 1.0  # second of a candidate's rounds: so long a time needs no other to be compared with
SETUP = {"openvino": 3.0, "compiled, frozen": 40.0}  # seconds; what is not named costs nothing


@dataclass
class Engine:
    """A way to run an encoder: features of U values → `[U, T, L * D]` float32.

    Args:
        name: `eager`, `bfloat16 autocast`, `bfloat16 weights`, `compiled, frozen` or `openvino`.
        run: the encoder.
        speed: times the rows a second of eager float32, on the probe.
        tried: candidate → its speed and smallest cosine, or why it was left out.
    """

    name: str
    run: Callable[[Features], Tensor]
    speed: float = 1.0
    tried: dict[str, str] = field(default_factory=dict)


class FlatEncoder(nn.Module):
    """An encoder whose tokens come as one tensor, `[U, T, L * D]`, with its L layers side by side (one, mostly)."""

    def __init__(self, encoder: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.encoder = encoder
        self.names = names

    def forward(self, *features: Tensor) -> Tensor:
        tokens = self.encoder(dict(zip(self.names, features, strict=True)))
        return torch.cat(tokens.layers, dim=2) if tokens.layers else tokens.x


def encoder_key(encoder: Any, exact: bool = False) -> str:
    """A hash of all that a frozen encoder's outputs depend on: weights, constants, settings, processor, versions."""
    digest = hashlib.sha256(f"{type(encoder).__name__} {exact}".encode())
    for name, tensor in sorted([*encoder.named_parameters(), *encoder.named_buffers()], key=lambda pair: pair[0]):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().numpy().tobytes())
    settings = {k: v for k, v in vars(encoder).items() if isinstance(v, str | int | float) and k != "training"}
    versions = {name: importlib.metadata.version(name) for name in ("torch", "torchvision") if _installed(name)}
    versions |= {n: importlib.metadata.version(n) for n in ("timm", "transformers", "tokenizers") if _installed(n)}
    digest.update(repr((sorted(settings.items()), encoder.processor.to_json(), sorted(versions.items()))).encode())
    if where := where_width(encoder):  # such stores hold it beside the vectors; those of before did not
        digest.update(f"where {where}".encode())
    return digest.hexdigest()


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def choose_engine(encoder: Any, probe: Features, rows: int, half: bool, exact: bool = False) -> Engine:
    """Time what could run an encoder and keep the fastest that agrees with eager float32.

    Args:
        encoder: frozen, in evaluation mode, on its device.
        probe: features of some of the user's rows.
        rows: how many are to come; a candidate is tried only where its set-up can pay.
        half: this machine multiplies in bfloat16.
        exact: only float32.

    Returns:
        The engine; `tried` says what else was looked at.
    """
    names = [name for name in probe if name != WHERE]  # a graph would lose an input that it does not read
    flat = FlatEncoder(encoder, names).eval()
    eager = Engine("eager", lambda features: _float32(flat, features, names))
    reference, seconds = _timed(eager.run, probe)
    count, mask = len(reference), layout_of(encoder, probe, reference.shape[1]).mask
    best, fastest, tried = eager, seconds, {"eager": "1.00x"}
    makers = _candidates(flat, names, half and not exact)
    for name, make in makers.items():
        if fastest * rows / count < PAYS * SETUP.get(name, 0.0):
            tried[name] = "its set-up would not pay for so few rows"
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                run = make(probe)
                output, took = _timed(run, probe)
                cosine = _smallest_cosine(output, reference, mask)
        except Exception as error:  # a compiler of another party: whatever it raises, eager is still there
            tried[name] = f"failed ({type(error).__name__}: {str(error).splitlines()[0][:120] if str(error) else ''})"
            continue
        tried[name] = f"{seconds / took:.2f}x, cosine {cosine:.6f}"
        if cosine >= CLOSE and took < 0.97 * fastest:
            best, fastest = Engine(name, run, seconds / took), took
    return Engine(best.name, best.run, best.speed, tried)


def _candidates(flat: FlatEncoder, names: list[str], half: bool) -> dict[str, Callable[[Features], Any]]:
    device = device_of(flat)
    makers: dict[str, Callable[[Features], Any]] = {}
    if getattr(flat.encoder, "fixed", False):
        return makers
    if half:
        makers["bfloat16 autocast"] = lambda probe: lambda features: _autocast(flat, features, names)
    if getattr(flat.encoder, "eager_only", False):  # a graph would keep the probe's lengths
        return makers
    if half:
        makers["bfloat16 weights"] = lambda probe: _with_half_weights(flat, names)
    if device.type == "cpu" and _installed("openvino"):
        makers["openvino"] = lambda probe: _openvino(flat, {name: probe[name] for name in names}, half)
    makers["compiled, frozen"] = lambda probe: _compiled(flat, names, half)
    return makers


def _arguments(features: Features, names: list[str], device: torch.device) -> list[Tensor]:
    return [features[name].to(device, non_blocking=True) for name in names]


def _float32(flat: nn.Module, features: Features, names: list[str]) -> Tensor:
    with torch.inference_mode():
        return flat(*_arguments(features, names, device_of(flat))).float().cpu()


def _autocast(flat: nn.Module, features: Features, names: list[str]) -> Tensor:
    device = device_of(flat)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        return _float32(flat, features, names)


def _half_twin(flat: FlatEncoder) -> FlatEncoder:
    """A copy whose backbone has bfloat16 weights; what stands before it (pixels, embedding ids) stays as it is."""
    twin = copy.deepcopy(flat)
    inner = getattr(twin.encoder, "backbone", None)
    if inner is None:
        raise TypeError("the encoder has no backbone of its own")
    inner.to(torch.bfloat16)
    inner.register_forward_pre_hook(
        lambda module, given: tuple(x.to(torch.bfloat16) if x.is_floating_point() else x for x in given)
    )
    return twin


def _with_half_weights(flat: FlatEncoder, names: list[str]) -> Callable[[Features], Tensor]:
    twin = _half_twin(flat)
    return lambda features: _float32(twin, features, names)


def _compiled(flat: FlatEncoder, names: list[str], half: bool) -> Callable[[Features], Tensor]:
    """`torch.compile` with weights folded in as constants; of bfloat16 weights where the machine has such products."""
    from torch._inductor import config

    twin = _half_twin(flat) if half else flat
    compiled: Any = torch.compile(twin, dynamic="mask" in names)  # texts come in many lengths
    device = device_of(flat)

    def run(features: Features) -> Tensor:
        with config.patch(freezing=True), torch.no_grad():
            return compiled(*_arguments(features, names, device)).float().cpu()

    return run


def _openvino(flat: FlatEncoder, probe: Features, half: bool) -> Callable[[Features], Tensor]:
    import openvino  # type: ignore[import-untyped]
    from openvino.frontend import FrontEndManager  # type: ignore[import-untyped]
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder  # type: ignore[import-untyped]

    names = list(probe)
    few = tuple(values[:2] for values in probe.values())  # a trace needs no more, and the probe checks what it gives
    with torch.inference_mode(False), torch.no_grad():
        traced = torch.jit.trace(flat, few, check_trace=False, strict=False)  # OpenVINO's own would run it twice more
        # The graph that openvino.convert_model gives in 4 times the time, telling Google Analytics of it unasked.
        frontend = FrontEndManager().load_by_framework("pytorch")
        decoder = TorchScriptPythonDecoder(traced, example_input=few)  # read while converting: it must live so long
        graph = frontend.convert(frontend.load(decoder))
    hint = {"INFERENCE_PRECISION_HINT": "bf16" if half else "f32"}
    compiled = openvino.Core().compile_model(graph, "CPU", hint)

    def run(features: Features) -> Tensor:
        return torch.from_numpy(compiled([features[name].numpy() for name in names])[0].copy()).float()

    return run


def _smallest_cosine(output: Tensor, reference: Tensor, mask: Tensor | None) -> float:
    """Of all rows; padding, which an encoder may fill as it likes, does not count."""
    if mask is not None and reference.shape[1] > 1:
        output, reference = (x.masked_fill(~mask.unsqueeze(-1), 0) for x in (output, reference))
    return float(F.cosine_similarity(output.flatten(1).double(), reference.flatten(1).double()).min())


def _timed(run: Callable[[Features], Tensor], probe: Features, rounds: int = 3) -> tuple[Tensor, float]:
    """The output, and the fastest round's seconds after one to warm up; a slow candidate gets fewer rounds."""
    output, best, spent = run(probe), float("inf"), 0.0
    for _ in range(rounds):
        start = time.perf_counter()
        output = run(probe)
        seconds = time.perf_counter() - start
        best, spent = min(best, seconds), spent + seconds
        if spent > ENOUGH:
            break
    return output, best
