"""``evaluate``: figures of a model, or of mesh files, against ground truth."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.shard_file import SPLITS
from ..errors import InputError
from .bars import bar
from .extras import learning
from .sampling_options import NAMES, add_sampling, sampling_changes

if TYPE_CHECKING:
    from ..evaluation.judge import Judge
    from ..models import ModelBundle
    from ..sampling import SamplerSettings


_DEFAULTS = {
    "protocol": "paper",
    "weights": Path("models"),
    "model": "tiny",
    "clips": 64,
    "seeds": (0,),
    "split": "test",
    "resolution": 64,
    "workers": 2,
    "sheet_clips": 6,
}
_MODEL = ("model", "seeds", "split", "methods", "resolution", *NAMES)
_USED = {  # what each way to evaluate looks at
    "--protocol pictures": ("predictions", "truth", "protocol", "weights", "output"),
    "--predictions": ("predictions", "truth", "protocol", "points", "workers", "output"),
    "--shards": ("shards", "sheet", "output", *_MODEL),
    "--sheet": ("sheet", "sheet_clips", "data", *_MODEL),
    "procedural clips": ("clips", "data", "workers", "output", *_MODEL),
}


def add_verbs(verbs: argparse._SubParsersAction) -> None:
    """Register the verbs of this file."""
    verb = verbs.add_parser("evaluate", help="figures of a model, or of mesh files, against ground truth")
    add = verb.add_argument
    add("--predictions", type=Path, help="compare files: folder with one sequence (or video) per asset")
    add("--truth", type=Path, help="folder with the true ones, of the same names")
    add("--protocol", help="paper (default), actionbench, none (no alignment), or pictures")
    add("--points", type=int, help="points per cloud and frame (default: 100000)")
    add("--weights", type=Path, help="folder with the networks of DreamSim and FVD, for pictures (default: models)")
    add("--shards", type=Path, help="score the model on the curated clips of this folder, split --split")
    add("--model", help="model folder, or tiny for the bundled one (default: tiny)")
    add("--clips", type=int, help="held-out procedural clips (default: 64)")
    add("--seeds", type=_seeds, help="seeds of the sampler, such as 0,1,2 (default: 0)")
    add("--split", help="test: new seeds (default); unseen, motion: kept out of training")
    add("--methods", help="what to compare, separated by commas (default: all that a reader needs)")
    add("--resolution", type=int, help="cells of the grid per axis (default: 64)")
    add("--data", type=Path, help="shards the model was trained on, for the retrieval baselines")
    add("--workers", type=int, help="processes (default: 2)")
    add_sampling(add)
    add("-o", "--output", type=Path, help="folder for the report, plots and scores (resumable, but for --shards)")
    add("--sheet", type=Path, help="write a contact sheet .png of clips instead of figures; with --shards beside them")
    add("--sheet-clips", type=int, help="clips on the contact sheet (default: 6)")
    add("--quiet", action="store_true", help="no progress bars")
    verb.set_defaults(run=_evaluate)


def _seeds(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _evaluate(chosen: argparse.Namespace) -> None:
    files = chosen.predictions, chosen.truth
    if any(files) and not all(files):
        raise InputError("--predictions and --truth belong together; give both folders.")
    way = _way(chosen)
    _check_used(chosen, way)
    for key, value in _DEFAULTS.items():
        if getattr(chosen, key) is None:
            setattr(chosen, key, value)
    ways = {"--protocol pictures": _pictures, "--predictions": _files, "--shards": _shards}
    ways.get(way, _procedural)(chosen)


def _way(chosen: argparse.Namespace) -> str:
    if chosen.predictions:
        return "--protocol pictures" if chosen.protocol == "pictures" else "--predictions"
    if chosen.shards:
        return "--shards"
    return "--sheet" if chosen.sheet else "procedural clips"


def _check_used(chosen: argparse.Namespace, way: str) -> None:
    """Raises InputError for options that would do nothing."""
    known = {name for names in _USED.values() for name in names}
    idle = sorted(name for name in known - set(_USED[way]) if getattr(chosen, name) is not None)
    if idle:
        given, used = (", ".join("--" + name.replace("_", "-") for name in names) for names in (idle, _USED[way]))
        raise InputError(f"{given} would do nothing with {way}; leave out what is none of {used}.")


def _files(chosen: argparse.Namespace) -> None:
    from ..evaluation.actionbench import ActionBenchSettings
    from ..evaluation.compare import TITLES, Comparison, pairs_of, run_comparison
    from ..evaluation.paper import PaperSettings
    from ..evaluation.score_file import ScoreFile

    count = {} if chosen.points is None else {"points": chosen.points}
    comparison = Comparison(chosen.protocol, PaperSettings(**count), ActionBenchSettings(**count))
    pairs, said = pairs_of(chosen.predictions, chosen.truth), comparison.about()
    scores = ScoreFile(chosen.output, said) if chosen.output else None
    with bar("assets", chosen.quiet) as progress:
        rows = run_comparison(comparison, pairs, scores, chosen.workers, progress)
    _say(chosen, rows, said, TITLES)


def _pictures(chosen: argparse.Namespace) -> None:
    from ..evaluation.compare_pictures import PictureJudge, find_clips, run_pictures, set_fvd
    from ..evaluation.learned import load_available, unavailable
    from ..evaluation.score_file import ScoreFile

    found, wanted = find_clips(chosen.predictions), find_clips(chosen.truth)
    pairs = [(name, found.get(name), path) for name, path in wanted.items()]
    judge = PictureJudge(learned=load_available(chosen.weights))
    said = judge.about() | {"learned measures": sorted(judge.learned) or "none"}
    scores = ScoreFile(chosen.output, said) if chosen.output else None
    with bar("assets", chosen.quiet) as progress:
        rows = run_pictures(judge, pairs, scores, progress)
    reasons = unavailable(chosen.weights)
    notes = [f"{name}: {reason}" for name, reason in reasons.items()]
    if "fvd_pair" not in reasons:
        notes.append(set_fvd(judge, pairs, rows))
    _say(chosen, rows, said, {"prediction": "prediction"}, notes=notes)


def _shards(chosen: argparse.Namespace) -> None:
    learning()
    from .. import models
    from ..evaluation.curated import TITLES, ShardJudge, about_shards, read_clips, shard_methods, shard_sheet
    from ..evaluation.judge import fingerprint
    from ..evaluation.methods import PAIRS
    from ..rendering import save_png

    model = models.load(chosen.model)
    methods = shard_methods(chosen.methods, model)
    settings = _sampling(model, chosen)
    judge = ShardJudge(model, _anchors(chosen.model), settings, methods, chosen.seeds, chosen.resolution)
    clips = read_clips(chosen.shards, chosen.split, model)
    rows, pictures = [], []
    with bar("clips", chosen.quiet) as progress:
        for number, clip in enumerate(clips, start=1):
            fresh, shown = judge(clip)
            rows += fresh
            pictures.append(shown)
            progress(number, len(clips))
    sheet = chosen.sheet or (chosen.output / "sheet.png" if chosen.output else None)
    said = about_shards(judge, clips, chosen.split, f"{model.name}, weights {fingerprint(model)}")
    _say(chosen, rows, said, TITLES, PAIRS)
    if sheet:
        save_png(shard_sheet(pictures), sheet)
        print(sheet)


def _sampling(model: ModelBundle, chosen: argparse.Namespace) -> SamplerSettings:
    from ..pipeline import sampler_settings

    return sampler_settings(model, **sampling_changes(chosen))


def _anchors(model: str) -> Any:
    """The slot anchors beside a model's weights, None when it has none."""
    from ..models.layout import model_folder
    from ..training.stages import ANCHORS, read_anchors

    folder = model_folder(model)
    return read_anchors(folder) if (folder / ANCHORS).exists() else None


def _procedural(chosen: argparse.Namespace) -> None:
    learning()
    from .. import models
    from ..evaluation.methods import METHODS, PAIRS, chosen_methods
    from ..evaluation.procedural import Plan, about, run_plan
    from ..evaluation.score_file import ScoreFile
    from ..evaluation.truth import check_fits
    from ..training.origins import shards_origin

    if chosen.split not in SPLITS[1:]:
        raise InputError(f"--split is {chosen.split!r}; held-out procedural clips have {', '.join(SPLITS[1:])}.")
    model = models.load(chosen.model)
    check_fits(model)
    methods = chosen_methods(chosen.methods, model, chosen.data is not None)
    judge = _judge(chosen, model, methods)
    if chosen.sheet:
        _sheet(chosen, judge, methods)
        return
    plan = Plan(tuple(methods), chosen.clips, chosen.seeds, chosen.split)
    said = about(plan, judge, model.name)
    scores = None
    if chosen.output:
        fixed = {key: said[key] for key in ("model", "grid", "surface points", "sampling")} | {"split": chosen.split}
        if judge.neighbours:
            fixed["shards"] = shards_origin(chosen.data)
        scores = ScoreFile(chosen.output, fixed)
    with bar("clips", chosen.quiet) as progress:
        rows = run_plan(plan, judge, scores, chosen.workers, progress)
    _say(chosen, rows, said, {name: METHODS[name].title for name in METHODS}, PAIRS)


def _judge(chosen: argparse.Namespace, model: ModelBundle, methods: list[str]) -> Judge:
    from ..evaluation.judge import Judge
    from ..evaluation.mean_shape import mean_shape
    from ..evaluation.truth import procedural_settings

    settings = _sampling(model, chosen)
    anchors = _anchors(chosen.model)
    banks = _neighbours(chosen.data, model, anchors, [name for name in methods if name.startswith("nearest")])
    judge = Judge(model, anchors, settings, chosen.resolution, neighbours=banks)
    if "mean" not in methods or chosen.sheet:
        return judge
    with bar("mean shape", chosen.quiet) as progress:
        field = mean_shape(judge.grid, procedural_settings(model.config), progress=progress)
    return Judge(model, anchors, settings, chosen.resolution, neighbours=banks, mean_field=field)


def _neighbours(data: Path | None, model: ModelBundle, anchors: Any, methods: list[str]) -> dict[str, Any]:
    if not methods or data is None:
        return {}
    from ..data.shards import read_shards
    from ..evaluation.neighbours import NearestFrames
    from ..training.latents import encode_clips
    from ..training.stages import prefix_slots, slots_of

    clips = read_shards(data, "train", ("surface", "aligned", "rgba"), frame=model.config.frame)
    count = model.config.vae.num_latents
    slots = prefix_slots(clips, model.config.vae, count) if anchors is None else slots_of(clips, anchors)
    latents = encode_clips(model.vae, clips, slots, mirror=False)
    return {
        name: NearestFrames(clips["rgba"], latents, silhouette=name.endswith("silhouette")) for name in methods
    }


def _sheet(chosen: argparse.Namespace, judge: Judge, methods: list[str]) -> None:
    from ..evaluation.gallery import SHOWN, procedural_sheet
    from ..rendering import save_png

    shown = [name for name in methods if name in SHOWN] if chosen.methods is None else methods
    with bar("clips", chosen.quiet) as progress:
        picture = procedural_sheet(judge, chosen.sheet_clips, chosen.split, shown, chosen.seeds[0], progress)
    save_png(picture, chosen.sheet)
    print(chosen.sheet)


def _say(chosen: argparse.Namespace, rows: list, said: dict, titles: dict[str, str], pairs: Any = (), notes: Any = ()):
    from ..evaluation.plots import write_plots
    from ..evaluation.report import build_report, markdown, write_report

    report = build_report(rows, said, titles, pairs, notes)
    print(markdown(report), end="")
    if chosen.output:
        for path in write_report(chosen.output, report) + write_plots(chosen.output, report):
            print(path)
