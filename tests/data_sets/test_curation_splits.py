"""Which files get into a data folder and which split they go to: held-out assets, taken names, files met twice."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import trimesh

from shapegen4d_core import cli
from shapegen4d_core.data import shards
from shapegen4d_core.data.curation import run
from shapegen4d_core.data.curation.run import Rights, curate
from shapegen4d_core.data.curation.splits import allot, place_of
from shapegen4d_core.errors import InputError
from shapegen4d_core.export import write_glb
from shapegen4d_core.importing import to_sequence

RIGHTS = Rights("CC0-1.0", "nobody")


@pytest.fixture
def add(make, tmp_path):
    """Writes an asset of its own below tmp_path/in for each number; 0 stands still."""
    folder = tmp_path / "in"
    folder.mkdir()

    def put(name, number):
        ball = trimesh.creation.icosphere(2, 0.5)
        mesh = make(ball, lambda v, u: v * (1 + u * number * np.array([0.5, 0, 0])))
        write_glb(to_sequence(mesh), folder / name)
        return folder

    return put


def states(outcomes):
    return {outcome.name: (outcome.state, outcome.reason) for outcome in outcomes}


def splits(data):
    return {path.stem: path.parent.name for path in data.glob("*/*.safetensors")}


def by_place(count):
    """Names in the order in which they are held out."""
    return sorted((f"asset{number}" for number in range(count)), key=place_of)


def test_the_split_follows_the_name_whatever_files_are_added():
    names = [f"asset{number}" for number in range(1000)]
    few, _ = allot(names[:300], 0.1, {}, ())
    many, _ = allot(names, 0.1, {}, ())
    assert all(many[name] == split for name, split in few.items())
    assert 70 < sum(split == "test" for split in many.values()) < 130


def test_one_asset_is_held_out_and_one_left_to_train_on():
    names = by_place(3)
    assert allot(names, 1e-9, {}, ()) == (dict.fromkeys(names, "train"), names[:2])
    held, spare = allot(names, 0.999999, {}, ())
    assert held == {names[0]: "test", names[1]: "test", names[2]: "train"} and spare == []
    assert allot(["one"], 0.999999, {}, ()) == ({"one": "train"}, [])
    assert allot(["one"], 0.999999, {}, ("train",)) == ({"one": "test"}, [])
    bound = {names[0]: "train", names[1]: "test"}
    assert allot(names, 1e-9, bound, ("train", "test")) == (bound | {names[2]: "train"}, [])
    with pytest.raises(InputError, match="none can be held out"):
        allot(names, 0.5, dict.fromkeys(names, "train"), ("train",))


def test_all_views_of_an_asset_go_together_and_stay_when_files_are_added(add, tmp_path, fast):
    names, data = by_place(4), tmp_path / "data"
    for name in names[1:3]:
        folder = add(f"{name}.glb", 1 + int(name[-1]))
    wanted = replace(fast, frame="view", views=2)
    assert set(states(curate(folder, data, wanted, RIGHTS, workers=2, held_out=1e-9)).values()) == {("made", "")}
    first = {f"{names[1]}-v{view}": "test" for view in (0, 1)} | {f"{names[2]}-v{view}": "train" for view in (0, 1)}
    assert splits(data) == first
    for name in (names[0], names[3]):
        add(f"{name}.glb", 1 + int(name[-1]))
    again = states(curate(folder, data, wanted, RIGHTS, workers=1, held_out=1e-9))
    assert again[f"{names[1]}-v1"] == ("kept", "") and again[f"{names[0]}-v0"] == ("made", "")
    assert splits(data) == first | {f"{name}-v{view}": "train" for name in (names[0], names[3]) for view in (0, 1)}
    for split, kept, made in (("test", 2, 0), ("train", 2, 4)):
        counts = json.loads((data / split / "curation.json").read_text())["counts"]
        assert (counts["kept"], counts["made"]) == (kept, made)
    assert len(shards.read_shards(data, "test")["rgba"]) == 2


def test_another_asset_is_held_out_when_the_first_is_refused(add, tmp_path, fast):
    names, data = by_place(3), tmp_path / "data"
    for number, name in enumerate(names):
        folder = add(f"{name}.glb", number)  # the first stands still
    made = states(curate(folder, data, fast, RIGHTS, workers=1, held_out=1e-9))
    assert made[names[0]] == ("rejected", "no motion")
    assert splits(data) == {names[1]: "test", names[2]: "train"}
    again = states(curate(folder, data, fast, RIGHTS, workers=1, held_out=1e-9))
    assert again == {names[0]: made[names[0]], names[1]: ("kept", ""), names[2]: ("kept", "")}
    assert splits(data) == {names[1]: "test", names[2]: "train"}


def test_assets_that_are_all_trained_on_cannot_be_held_out(add, tmp_path, fast):
    for number in (1, 2):
        folder = add(f"{number}.glb", number)
    list(curate(folder, tmp_path / "data", fast, RIGHTS, workers=1))
    with pytest.raises(InputError, match="remove the shards of some"):
        list(curate(folder, tmp_path / "data", fast, RIGHTS, workers=1, held_out=0.5))


@pytest.mark.parametrize(
    ("share", "split", "said"),
    [
        (1.0, "train", "0 to below 1"),
        (-0.1, "train", "is -0.1"),
        (float("nan"), "train", "nan"),
        (0.1, "unseen", "unseen"),
    ],
)
def test_shares_out_of_range_and_other_splits_are_refused(add, tmp_path, fast, share, split, said):
    with pytest.raises(InputError, match=f"{said}.*--held-out"):
        list(curate(add("a.glb", 1), tmp_path / "data", fast, RIGHTS, split, held_out=share))


def test_a_name_taken_by_another_file_is_refused_and_nothing_is_touched(add, tmp_path, fast):
    wanted, data = replace(fast, frame="view", views=2), tmp_path / "data"
    list(curate(add("a.glb", 1), data, wanted, RIGHTS, workers=1))
    (data / "train" / "a-v1.safetensors").unlink()
    before = (data / "train" / "a-v0.safetensors").read_bytes()
    outcomes = list(curate(add("a.glb", 2), data, wanted, RIGHTS, workers=1))
    assert states(outcomes) == dict.fromkeys(("a-v0", "a-v1"), ("rejected", "name taken"))
    assert "made from another file" in outcomes[0].detail and "rename" in outcomes[0].detail
    assert (data / "train" / "a-v0.safetensors").read_bytes() == before
    assert not list(data.rglob("*.rejected.json")) and splits(data) == {"a-v0": "train"}
    (data / "train" / "a-v0.safetensors").unlink()
    assert set(states(curate(tmp_path / "in", data, wanted, RIGHTS, workers=1)).values()) == {("made", "")}


def test_a_shard_with_other_rights_is_made_again(add, tmp_path, fast):
    folder, data = add("a.glb", 1), tmp_path / "data"
    list(curate(folder, data, fast, RIGHTS, workers=1))
    for rights in (Rights("CC-BY-4.0", "nobody"), Rights("CC-BY-4.0", "A. Maker")):
        assert states(curate(folder, data, fast, rights, workers=1)) == {"a": ("made", "")}
        asset = shards.read_asset(data / "train" / "a.safetensors")
        assert (asset["licence"], asset["attribution"]) == (rights.licence, rights.attribution)
        assert states(curate(folder, data, fast, rights, workers=1)) == {"a": ("kept", "")}


def test_a_file_of_another_split_is_refused_under_any_name(add, tmp_path, fast):
    folder, data = add("a.glb", 1), tmp_path / "data"
    list(curate(folder, data, fast, RIGHTS, workers=1))
    shutil.copy(folder / "a.glb", folder / "b.glb")
    outcomes = list(curate(folder, data, fast, RIGHTS, "test", workers=1))
    assert states(outcomes) == dict.fromkeys("ab", ("rejected", "already in split train"))
    assert "the same file as a" in outcomes[1].detail
    assert splits(data) == {"a": "train"} and not list(data.rglob("*.rejected.json"))
    shutil.copytree(data / "train", data / "test", dirs_exist_ok=True)  # as older versions allowed
    assert states(curate(folder, data, fast, RIGHTS, workers=1))["a"] == ("rejected", "already in split test")


def test_a_file_is_made_once_under_its_first_name(add, tmp_path, fast):
    folder, data = add("b.glb", 1), tmp_path / "data"
    shutil.copy(folder / "b.glb", folder / "c.glb")
    twice = ("rejected", "same file twice")
    assert states(curate(folder, data, fast, RIGHTS, workers=1)) == {"b": ("made", ""), "c": twice}
    shutil.copy(folder / "b.glb", folder / "a.glb")
    assert states(curate(folder, data, fast, RIGHTS, workers=1)) == {"a": twice, "b": ("kept", ""), "c": twice}
    with_share = states(curate(folder, data, fast, RIGHTS, workers=1, held_out=0.5))
    assert with_share["b"] == ("kept", "") and with_share["a"][0] == with_share["c"][0] == "rejected"
    assert splits(data) == {"b": "train"}


def test_copies_never_get_into_both_splits_of_one_run(add, tmp_path, fast):
    names = by_place(3)
    folder = add(f"{names[0]}.glb", 1)
    shutil.copy(folder / f"{names[0]}.glb", folder / f"{names[1]}.glb")
    add(f"{names[2]}.glb", 2)
    made = states(curate(folder, tmp_path / "data", fast, RIGHTS, workers=1, held_out=place_of(names[0]) + 1e-9))
    assert sorted(made.values()) == [("made", ""), ("made", ""), ("rejected", "same file twice")]
    assert sorted(splits(tmp_path / "data").values()) == ["test", "train"]


def test_the_command_holds_assets_out_and_says_how_many(add, tmp_path, capsys):
    for number in (1, 2):
        folder = add(f"{number}.glb", number)
    given = ["curate", "--input", str(folder), "-o", str(tmp_path / "data"), "--licence", "CC0-1.0", "--workers", "1"]
    given += "--frames 2 --resolution 24 --views 1 --image-size 24 --held-out 0.1".split()
    assert cli.main([*given, "--split", "test"]) == cli.REFUSED and "--held-out" in capsys.readouterr().err
    assert cli.main(given) == 0
    said = capsys.readouterr().out
    assert "| made | 2 | |" in said and "1 shard in split train, 1 in split test" in said
    assert sorted(splits(tmp_path / "data").values()) == ["test", "train"]


def test_settings_that_differ_are_refused_before_anything_is_made(add, tmp_path, fast, monkeypatch):
    names = by_place(3)
    for name in names[1:]:
        folder = add(f"{name}.glb", 1 + int(name[-1]))
    list(curate(folder, tmp_path / "data", fast, RIGHTS, workers=1, held_out=1e-9))
    add(f"{names[0]}.glb", 5)
    monkeypatch.setattr(run, "curate_file", None)
    with pytest.raises(InputError, match="another seed; give the same settings"):
        list(curate(folder, tmp_path / "data", replace(fast, seed=1), RIGHTS, workers=1, held_out=0.5))
