import importlib

import pytest

from shapegen4d_core.data.jobs import FAILED, MADE, guarded, run_jobs
from shapegen4d_core.errors import InputError

WORK = """
import os

def work(name, job):
    from shapegen4d_core.data.jobs import MADE, Outcome
    if job == "die":
        os._exit(3)
    if job == "fail":
        raise RuntimeError("bad asset")
    return Outcome(name, MADE, detail=job)
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A function of a module, so that worker processes can import it."""
    (tmp_path / "crashing_work.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("crashing_work").work


def test_an_error_is_named_and_the_rest_goes_on(work):
    outcomes = list(run_jobs(work, [("a", "x"), ("b", "fail"), ("c", "y")], workers=1))
    assert [(o.name, o.state) for o in outcomes] == [("a", MADE), ("b", FAILED), ("c", MADE)]
    assert outcomes[1].detail == "RuntimeError: bad asset" and outcomes[0].seconds > 0


def test_a_dying_worker_loses_only_its_own_job(work):
    jobs = [("a", "x"), ("b", "die"), ("c", "fail"), ("d", "y"), ("e", "z")]
    outcomes = {o.name: o for o in run_jobs(work, jobs, workers=2)}
    assert {name: o.state for name, o in outcomes.items()} == dict(a=MADE, b=FAILED, c=FAILED, d=MADE, e=MADE)
    assert outcomes["b"].reason == "crash" and outcomes["c"].detail == "RuntimeError: bad asset"


def test_an_input_error_keeps_its_sentence_and_ctrl_c_is_not_swallowed():
    def refuse(name, job):
        raise job

    assert guarded(refuse, "a", InputError("the file is empty")).detail == "the file is empty"
    with pytest.raises(KeyboardInterrupt):
        guarded(refuse, "a", KeyboardInterrupt())
    with pytest.raises(InputError, match="workers=0"):
        list(run_jobs(refuse, [], workers=0))
