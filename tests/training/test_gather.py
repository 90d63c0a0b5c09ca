"""Rows of several processes are one batch."""

from pathlib import Path

import torch

from plait.tasks import Retrieval

TWO = ({"photo": ["photo"], "title": ["title"]}, {"photo": "image", "title": "text"})


def vectors(rows: int, sides: int, dim: int = 5, bias: float = 0.0) -> torch.Tensor:
    torch.manual_seed(rows + sides)
    unit = torch.nn.functional.normalize(torch.randn(rows, sides, dim), dim=2)
    return torch.cat([unit * 2.0, torch.full((rows, sides, 1), bias)], dim=2)  # scaled by two: logits are 4 cosines


def _gathered(rank: int, port: int, folder: str) -> None:
    from torch.distributed import destroy_process_group, init_process_group

    from plait.training.gather import gather_rows

    init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    own, codes = torch.load(f"{folder}/{rank}.pt", weights_only=True)
    weight = torch.ones(3, requires_grad=True)
    found, truth = gather_rows({"pairs": own * weight}, {"pairs": codes})
    Retrieval(*TWO).loss(found["pairs"], truth["pairs"]).backward()
    torch.save(weight.grad, f"{folder}/gradient{rank}.pt")
    destroy_process_group()


def test_two_processes_are_one_batch(tmp_path: Path) -> None:
    """The mean of the processes' gradients is that of one process with all rows, however they are shared out."""
    import socket

    whole, codes = vectors(7, 2, dim=2), torch.arange(7)[:, None].repeat(1, 2)
    for rank, rows in enumerate((slice(0, 4), slice(4, 7))):
        torch.save((whole[rows], codes[rows]), tmp_path / f"{rank}.pt")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(_gathered, (port, str(tmp_path)), nprocs=2)
    weight = torch.ones(3, requires_grad=True)
    Retrieval(*TWO).loss(whole * weight, codes).backward()
    found = [torch.load(tmp_path / f"gradient{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert torch.allclose((found[0] + found[1]) / 2, weight.grad, atol=1e-6)
