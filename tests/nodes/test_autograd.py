"""The helper that lets nodes optimise although the host runs them in inference mode."""

import pytest
import torch


def test_gradients_reach_copies_of_inference_tensors(pack):
    import importlib

    gradients = importlib.import_module(f"{pack.__name__}.nodes.autograd").gradients
    with torch.inference_mode():
        given = torch.ones(3)
        with pytest.raises(RuntimeError):
            (given.clone().requires_grad_() ** 2).sum().backward()
        with gradients(given, "a word") as (copy, word):
            loss = (copy.requires_grad_() ** 2).sum()
            loss.backward()
        assert torch.equal(copy.grad, 2 * torch.ones(3)) and word == "a word"
        assert given.is_inference() and not given.requires_grad
