"""A projection for each modality."""

import pytest
import torch

from fakes import fake_tokens
from plait.errors import DataError
from plait.layers import ModalityProjection, masked_mean


def test_projection_of_the_mean_is_the_mean_of_projections() -> None:
    tokens = {"a": fake_tokens(4, 3, 5)}
    project = ModalityProjection({"a": 5}, 7)
    vectors, present = project.vectors(tokens)
    torch.testing.assert_close(vectors[:, 0], masked_mean(project.tokens(tokens)), rtol=1e-4, atol=1e-5)
    assert present.all()


def test_projection_names_a_missing_modality() -> None:
    with pytest.raises(DataError, match="expects modality 'photo'.*did you mean 'phot'"):
        ModalityProjection({"photo": 4}, 4).vectors({"phot": fake_tokens(1, 1, 4)})
