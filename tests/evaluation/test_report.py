import builtins
import json
import math

import pytest
from PIL import Image

from shapegen4d_core.errors import InputError
from shapegen4d_core.evaluation.plots import write_plots
from shapegen4d_core.evaluation.report import build_report, markdown, write_report
from shapegen4d_core.evaluation.score_file import NAME, Row, ScoreFile

ROWS = [
    Row("cat-1", "cat", "ours", 0, {"iou": 0.5, "chamfer": 0.2}),
    Row("cat-1", "cat", "ours", 1, {"iou": 0.7, "chamfer": 0.1}, failed_frames=1),
    Row("dog-2", "dog", "ours", 0, {"iou": math.nan, "chamfer": 0.3}),
    Row("cat-1", "cat", "base", None, {"iou": 0.4, "chamfer": 0.3}),
    Row("dog-2", "dog", "base", None, failure="no file"),
]
HEADER = {"model": "tiny", "points": 8, "sizes": (1, 2)}


@pytest.fixture
def report():
    titles = {"base": "the base", "ours": "our method", "absent": "nothing"}
    return build_report(ROWS, {"points": 8192, "seeds": [0, 1]}, titles, [("ours", "base"), ("ours", "absent")], ["so"])


def test_the_report_says_counts_failures_and_differences(report):
    ours, base = report["methods"]["ours"], report["methods"]["base"]
    assert list(report["methods"]) == ["base", "ours"] and ours["seeds"] == [0, 1] and ours["runs"] == 3
    assert ours["measures"]["iou"]["mean"] == pytest.approx(0.6) and ours["measures"]["iou"]["undefined"] == 1
    assert base["measures"]["iou"]["mean"] == pytest.approx(0.2), "the failure counts as 0"
    assert base["failed_runs"] == 1 and ours["failed_frames"] == 1 and len(report["failures"]) == 2
    (pair,) = report["paired"]
    assert pair["measures"]["chamfer"]["mean"] == pytest.approx(((0.15 - 0.3) + (0.3 - 2.0)) / 2)
    assert report["groups"]["ours"]["cat"]["iou"] == pytest.approx(0.6)


def test_the_table_is_markdown_with_one_row_per_method(report):
    lines = markdown(report).splitlines()
    assert lines[2] == "| method | IoU | Chamfer | failed |" and lines[3].count("|") == lines[2].count("|")
    assert lines[4].startswith("| the base | 0.200 [0.000, 0.400] |") and lines[4].endswith("1 of 2 |")
    assert "(1 undefined)" in lines[5]
    assert "* failed: base on dog-2 (seed None): no file" in lines and "* so" in lines
    assert "* points: 8192" in lines and any(line.startswith("* our method - the base: IoU +") for line in lines)


def test_files_hold_the_same_and_pictures_are_pictures(report, tmp_path):
    json_path, markdown_path = write_report(tmp_path / "new", report)
    assert json.loads(json_path.read_text())["methods"]["ours"]["measures"]["iou"]["count"] == 1
    assert markdown_path.read_text() == markdown(report)
    for path in write_plots(tmp_path / "new", report):
        assert min(Image.open(path).size) > 100
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        "report.json", "report.md", "intervals.png", "groups.png"
    }


def test_plots_without_matplotlib_name_the_extra(report, tmp_path, monkeypatch):
    original = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(InputError, match=r"pip install matplotlib"):
        write_plots(tmp_path, report)


def test_scores_survive_and_only_the_missing_is_missing(tmp_path):
    first = ScoreFile(tmp_path, HEADER)
    first.add(ROWS[:2])
    first.add(ROWS[2:4])
    again = ScoreFile(tmp_path, HEADER)
    assert again.rows[:2] == ROWS[:2] and math.isnan(again.rows[2].values["iou"]) and again.rows[3] == ROWS[3]
    assert again.missing([row.key for row in ROWS]) == [ROWS[4].key]


def test_a_line_cut_off_by_a_crash_is_dropped_and_written_again(tmp_path):
    ScoreFile(tmp_path, HEADER).add(ROWS[:2])
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:-20])
    again = ScoreFile(tmp_path, HEADER)
    assert again.rows == ROWS[:1]
    again.add(ROWS[1:2])
    assert ScoreFile(tmp_path, HEADER).rows == ROWS[:2]


def test_scores_of_something_else_are_refused_and_kept(tmp_path):
    ScoreFile(tmp_path, HEADER).add(ROWS[:1])
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(InputError, match=r"another evaluation \(model\)"):
        ScoreFile(tmp_path, {**HEADER, "model": "other"})
    assert (tmp_path / NAME).read_bytes() == before


@pytest.mark.parametrize("text", ["not json\n", '{"model": 1}\n[3]\n', '{"model": 1}\n{"asset": "x"}\n', "\xff\n"])
def test_damaged_scores_are_refused(tmp_path, text):
    (tmp_path / NAME).write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match="damaged"):
        ScoreFile(tmp_path, {"model": 1})
