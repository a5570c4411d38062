"""Packages that are not installed are named once, with the command that installs them."""

import pytest

from shapegen4d_core.errors import InputError
from shapegen4d_core.optional_packages import missing, needed


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("Plots need", "matplotlib"), "Plots need matplotlib; install it with: pip install matplotlib."),
        (
            ("It needs", "ray[data]", ", or wait"),
            "It needs ray[data]; install it with: pip install 'ray[data]', or wait.",
        ),
    ],
)
def test_the_sentence(given, said):
    assert str(missing(*given)) == said


@pytest.mark.parametrize("name", ["pxr", "pxr.Usd", None])
def test_a_missing_package_is_a_sentence(name):
    with pytest.raises(InputError, match=r"pip install usd-core\."), needed("USD files need", "usd-core", "pxr"):
        raise ImportError("no such module", name=name)


def test_what_is_broken_for_another_reason_is_not_called_missing():
    with pytest.raises(ImportError, match="symbol"), needed("Plots need", "matplotlib"):
        raise ImportError("undefined symbol", name="kiwisolver")
