"""The part of a run's page about texts that were written: scores, images with texts, where the decoder looked."""

import base64
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from plait.metrics.answers import exact_match
from plait.metrics.caption import CaptionScorer
from plait.report import plots
from plait.report.found import shown_cell
from plait.runs.prepare import Part, Prepared
from plait.tasks import Generation

SHOWN, WORDS, SIDE = 10, 9, 112


def generated_section(prepared: Prepared, task: Any, part: Part, name: str, predictions: Any) -> dict[str, Any]:
    """How good the texts are, row by row, and some of them with their images.

    Args:
        prepared: data and model.
        task: its task.
        part: the rows.
        name: of the part.
        predictions: of its rows.
    """
    truth = part.truth()[task.target]
    _, first = np.unique(truth[:, 0], return_index=True)
    first = first[~task.unusable(truth)[first]]
    texts, right = task.answers(predictions[first]), [list(task.right_answers(row)) for row in truth[first]]
    if task.short:
        hits = exact_match(texts, right)
        svgs = [plots.bars(_by_answer(hits, right), "share right, by answer")]
    else:
        scored = CaptionScorer(right).score_each(texts, ["CIDEr"])
        svgs = [plots.histogram(each, f"{name} of each text") for name, each in scored.items()]
    chosen = first[np.unique(np.linspace(0, len(first) - 1, SHOWN).astype(int))]
    looks = _looks(prepared, task, part, chosen, predictions)
    cards = [
        {
            "cells": [shown_cell(prepared, part, column, int(position)) for column in prepared.inputs],
            "text": task.answers(predictions[position : position + 1])[0],
            "right": list(task.right_answers(truth[position]))[:3],
            "looks": looks[place] if looks else [],
        }
        for place, position in enumerate(chosen)
    ]
    return {"name": f"What was written: {task.target}", "part": name, "plots": svgs, "written": cards}


def _by_answer(hits: np.ndarray, right: Sequence[Sequence[str]], most: int = 20) -> dict[str, float]:
    by: dict[str, list[float]] = {}
    for hit, texts in zip(hits, right, strict=True):
        by.setdefault(texts[0], []).append(float(hit))
    frequent = sorted(by, key=lambda text: -len(by[text]))[:most]
    return {text[:40]: float(np.mean(by[text])) for text in frequent}


def _looks(
    prepared: Prepared, task: Generation, part: Part, positions: np.ndarray, predictions: Any
) -> list[list[dict[str, Any]]]:
    """For each row, its words, each with an image of where the decoder looked as it wrote it; empty where unknown."""
    decoder: Any = prepared.model.head.decoder
    images = [name for name, spec in prepared.inputs.items() if spec.kind is not None and spec.kind.gridded]
    if not images or not hasattr(decoder, "looks"):
        return []
    weights = _weights(prepared, part, images[0], positions, predictions)
    if weights is None:
        return []
    looks_of_rows = []
    for place, position in enumerate(positions):
        cell = shown_cell(prepared, part, images[0], int(position))
        ids = [int(token) for token in predictions.ids[position] if token >= 0 and token != task.texts.end]
        words = _words(task, ids)
        looks_of_rows.append(
            [
                {"word": word, "picture": _heated(cell.get("picture"), weights[place, pieces].mean(axis=0))}
                for word, pieces in words[:WORDS]
            ]
        )
    return looks_of_rows


@torch.no_grad()
def _weights(
    prepared: Prepared, part: Part, picture: str, positions: np.ndarray, predictions: Any
) -> np.ndarray | None:
    """`[N, L, side, side]` how much each token took from each cell of the image; None where there is no grid."""
    model: Any = prepared.model.eval()
    batch = part.source.batch(part.rows[positions]).to(model.device)
    tokens = {name: model.encode(name, batch.inputs[name], len(batch)) for name in model.encoders}
    fused = model.fusion(tokens)
    lengths = {name: one.x.shape[1] for name, one in tokens.items()}
    side = math.isqrt(lengths[picture])
    if side < 2 or side * side != lengths[picture] or fused.tokens.x.shape[1] != sum(lengths.values()):
        return None
    # The decoder reads its own text again, one token behind, and its attention is cut to the image's tokens.
    ids = torch.from_numpy(predictions.ids[positions]).to(model.device)
    decoder_input = torch.cat(
        [torch.full_like(ids[:, :1], model.head.decoder.begin_id), ids[:, :-1].clamp(min=0)], dim=1
    )
    attention = model.head.decoder.looks(model.head.context(fused), decoder_input)
    start = 1 + sum(lengths[name] for name in list(lengths)[: list(lengths).index(picture)])
    of_image = attention[:, :, start : start + lengths[picture]].float().cpu().numpy()
    grid: np.ndarray = of_image.reshape(*of_image.shape[:2], side, side)
    return grid


def _words(task: Generation, ids: Sequence[int]) -> list[tuple[str, list[int]]]:
    """The words of a text, each with the places of its tokens."""
    words: list[tuple[str, list[int]]] = []
    for place, token in enumerate(ids):
        piece = task.texts.tokenizer.id_to_token(token) or ""
        if words and not piece.startswith(("Ġ", "▁", " ")):
            words[-1][1].append(place)
        else:
            words.append(("", [place]))
    return [(task.texts.decode([ids[p] for p in places]), places) for _, places in words]


def _heated(picture: str | None, grid: np.ndarray) -> str | None:
    """An image, bright where the grid is high and dark elsewhere, as a `data:` address."""
    if picture is None:
        return None
    image = Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2]))).convert("RGB").resize((SIDE, SIDE))
    light = grid / max(float(grid.max()), 1e-9)
    mask = Image.fromarray((255 * light).astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    shaded = Image.composite(image, Image.blend(image, Image.new("RGB", image.size, (20, 20, 30)), 0.78), mask)
    buffer = io.BytesIO()
    shaded.save(buffer, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
