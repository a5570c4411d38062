"""The most memory that a computation holds at once, counted tensor by tensor; works on shapes alone (device "meta")."""

from __future__ import annotations

import weakref

import torch
import torch.nn.functional as functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Peak(TorchDispatchMode):
    """Counts the bytes of storages that operations make, from their birth to their death; ``most`` is the maximum."""

    def __init__(self):
        super().__init__()
        self.now = self.most = 0
        self._known = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        given = {id(leaf.untyped_storage()) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)}
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._note(leaf.untyped_storage(), given)
        return result

    def _note(self, storage, given):
        if id(storage) in given or id(storage) in self._known:
            return
        key, size = id(storage), storage.nbytes()
        self._known.add(key)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key, size):
        self._known.discard(key)
        self.now -= size


class FusedAttention(TorchFunctionMode):
    """Attention as fused kernels do it: no matrix of weights is made."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is functional.scaled_dot_product_attention:
            q, _, v = args[:3]
            return q.new_zeros(*q.shape[:-1], v.shape[-1])
        return func(*args, **(kwargs or {}))


def peak_bytes(run):
    """Most bytes that ``run()`` holds beyond what was there before."""
    with torch.no_grad(), Peak() as peak, FusedAttention():
        result = run()
        del result
    return peak.most
