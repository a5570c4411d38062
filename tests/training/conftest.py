import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import small  # noqa: E402


@pytest.fixture(scope="session")
def config():
    return small.small_config()


@pytest.fixture(scope="session")
def data():
    return small.random_data()
