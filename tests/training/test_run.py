"""From a recipe to a published model and back, through the command line and a real process."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from model_store import ModelId, StoreNotWritable, load, published, read_manifest
from tests.training.small import training
from training.__main__ import main
from training.datasets import DATASETS, Request
from training.errors import ConfigError, DataError
from training.preparation import find_device
from training.published import Given, measure, open_published
from training.run import run

SHORT = ["epochs=2", "evaluate_every=1", "nll_samples=5"]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `run digits store=store` was run as a command, with few epochs."""
    folder = tmp_path_factory.mktemp("digits")
    (folder / "store").mkdir()
    done = training(folder, "run", "digits", "store=store", "epochs=10", "evaluate_every=5")
    assert done.returncode == 0, done.stderr
    (folder / "said.txt").write_text(done.stdout)
    return folder


def log_of(digits: Path) -> list[dict[str, Any]]:
    text = (digits / "runs/digits/log.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_run_says_its_figures_where_things_are_and_what_comes_next(digits: Path) -> None:
    said = (digits / "said.txt").read_text()
    for part in ("epoch 5/10", "dimensions active", "nll ", "negative_elbo", "published: digits@1"):
        assert part in said
    assert "report: runs/digits/report.html" in said
    assert "warning" not in said
    assert "LATENTD_STORE=store make serve" in said
    assert "/models/digits/sample?n=16&seed=1" in said


def test_a_run_writes_a_log_curves_and_sheets(digits: Path) -> None:
    folder = digits / "runs/digits"
    lines = log_of(digits)
    assert [line["epoch"] for line in lines if line["event"] == "epoch"] == list(range(1, 11))
    assert [line["epoch"] for line in lines if line["event"] == "evaluation"] == [5, 10]
    assert {"loss", "rate", "distortion", "learning_rate", "seconds"} <= set(lines[0])
    assert 0 < lines[-1]["active_units"] <= 8
    for picture in ("curves.png", "samples.png", "reconstructions.png"):
        with Image.open(folder / picture) as image:
            assert min(image.size) > 300
            assert len(np.unique(np.asarray(image))) > 20


def test_the_report_says_how_to_run_it_again_and_what_came_of_it(digits: Path) -> None:
    report = (digits / "runs/digits/report.html").read_text()
    facts = read_manifest(digits / "store", ModelId("digits", 1)).training
    again = "python -m training run digits store=store epochs=10 evaluate_every=5"
    for part in (again, facts.dataset_sha256, facts.git_revision or "", "1617 to train on"):
        assert part in report
    assert "collapsed" not in report
    # Sheets of draws and of reconstructions, four curves, the dimensions' rates, and the map.
    assert report.count("<img ") == 8
    assert "coloured by class" in report


def test_ten_epochs_learn_something(digits: Path) -> None:
    epochs = [line for line in log_of(digits) if line["event"] == "epoch"]
    assert epochs[-1]["loss"] < epochs[0]["loss"] - 2


def test_the_published_model_reconstructs_digits_it_never_saw(digits: Path) -> None:
    checkpoint = load(digits / "store", ModelId("digits", 1))
    manifest = checkpoint.manifest
    assert (manifest.family, manifest.likelihood) == ("mlp", "bernoulli")
    assert (manifest.data.shape, manifest.latent_shape) == ((1, 8, 8), (8,))
    rows = manifest.probe.x.tensor()
    with torch.no_grad():
        decoded = checkpoint.decode(checkpoint.encode(rows)[0])
    assert float((decoded - rows).abs().mean()) < 0.2


def test_a_run_on_labelled_rows_publishes_directions_and_scores(digits: Path) -> None:
    checkpoint = load(digits / "store", ModelId("digits", 1))
    named = checkpoint.manifest.directions
    assert list(named)[:10] == [str(digit) for digit in range(10)]
    assert len(named) == 10 + 45
    data = DATASETS["digits"](Request())
    assert data.test_labels is not None
    with torch.no_grad():
        centroids = torch.stack([named[str(digit)].tensor() for digit in range(10)])
        means = checkpoint.encode(data.test[:])[0]
        nearest = torch.cdist(means, centroids).argmin(1)
        moved = means[data.test_labels == 8] + named["3 - 8"].tensor()
    assert float((nearest == data.test_labels).float().mean()) > 0.6
    # An edit: what was an 8 is among the 3s.
    distances = torch.cdist(moved, centroids)
    assert float((distances[:, 3] < distances[:, 8]).float().mean()) > 0.7
    scores = checkpoint.manifest.scores
    assert scores is not None
    assert scores.rows == len(data.train)
    recorded = {figure.name: figure.value for figure in checkpoint.manifest.figures}
    assert scores.quantiles[10] < recorded["negative_elbo"] < scores.quantiles[90]


def test_the_manifest_tells_how_it_was_trained_but_not_where(digits: Path) -> None:
    manifest = read_manifest(digits / "store", ModelId("digits", 1))
    facts = manifest.training
    assert (facts.recipe, facts.seed, facts.epochs) == ("digits", 0, 10)
    assert facts.dataset == "scikit-learn digits"
    assert facts.config["latent_dim"] == 8
    assert not {"data", "out", "store"} & set(facts.config)
    assert {figure.name for figure in manifest.figures} == {
        *("nll", "nll_bits", "negative_elbo", "rate", "distortion"),
        *("mutual_information", "active_units", "reconstruction_error"),
    }
    assert str(digits) not in manifest.model_dump_json()


def test_a_published_model_is_evaluated_from_the_store_alone(
    digits: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = digits / "store"
    manifest = read_manifest(store, ModelId("digits", 1))
    assert main(["evaluate", "digits", "--store", str(store), "--samples", "1000"]) == 0
    model, *lines, dimensions = capsys.readouterr().out.splitlines()
    assert model == "digits@1"
    assert dimensions.startswith("nats of each dimension, to N(0, 1): ")
    figures = {line.split()[0]: float(line.split()[1]) for line in lines}
    recorded = {figure.name: figure.value for figure in manifest.figures}
    # The same rows, draws and code: the same numbers.
    assert figures == {name: pytest.approx(value, abs=1e-3) for name, value in recorded.items()}
    rates = [float(word) for word in dimensions.partition(": ")[2].split()]
    assert sum(rates) == pytest.approx(figures["rate"], abs=0.005 * len(rates))


def test_other_data_is_noted_and_data_of_another_shape_refused(
    digits: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    np.save(digits / "other.npy", rng.random((20, 8, 8)))
    np.save(digits / "large.npy", rng.random((20, 9, 8)))
    words = ["evaluate", "digits", "--store", str(digits / "store"), "--samples", "2"]
    assert main([*words, "--source", "arrays", "--data", str(digits / "other.npy")]) == 0
    assert "not the rows that the model was trained" in capsys.readouterr().out
    assert main([*words, "--source", "arrays", "--data", str(digits / "large.npy")]) == 1
    assert "takes image of shape [1, 8, 8]" in capsys.readouterr().err


def test_vectors_go_all_the_way(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(200, 100)))
    given = ["source=arrays", f"data={tmp_path / 'rows.npy'}", f"store={tmp_path}", *SHORT]
    outcome = run("vectors", [*given, f"out={tmp_path / 'out'}"])
    assert outcome.published == ModelId("vectors", 1)
    manifest = load(tmp_path, outcome.published).manifest
    assert (manifest.data.kind, manifest.data.shape) == ("vectors", (100,))
    assert "nll_bits" not in {figure.name for figure in manifest.figures}
    assert not manifest.directions
    assert manifest.scores is not None
    assert not (tmp_path / "out/samples.png").exists()


def test_a_folder_of_colour_images_goes_all_the_way(tmp_path: Path) -> None:
    for name in ("day", "night"):
        (tmp_path / "photos" / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(20):
        image = Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8))
        image.save(tmp_path / "photos" / ("night" if number % 2 else "day") / f"{number}.jpg")
    given = [f"data={tmp_path / 'photos'}", "size=10,12", "encoder=4,8", "decoder=8,4"]
    where = [f"store={tmp_path}", f"out={tmp_path / 'out'}", "batch_size=8"]
    outcome = run("conv", [*given, *where, *SHORT])
    assert outcome.published == ModelId("conv", 1)
    manifest = load(tmp_path, outcome.published).manifest
    assert manifest.data.shape == (3, 10, 12)
    assert list(manifest.directions) == ["day", "night", "day - night"]
    # The same photographs, in the form that the model takes without being told.
    opened = open_published("conv", tmp_path, Given(data=tmp_path / "photos"))
    found = measure(opened, 5, None, iter)
    assert opened.same_data()
    assert [figure.value for figure in found.figures] == pytest.approx(
        [figure.value for figure in outcome.figures], rel=1e-3
    )
    with Image.open(tmp_path / "out/samples.png") as sheet:
        assert sheet.mode == "RGB"


def test_without_publishing_nothing_comes_into_the_store(tmp_path: Path) -> None:
    given = ["publish=false", f"store={tmp_path / 'store'}", f"out={tmp_path / 'out'}", *SHORT]
    assert run("digits", given).published is None
    assert not (tmp_path / "store").exists()
    assert (tmp_path / "out/report.html").exists()
    assert not (tmp_path / "out/tensorboard").exists()


def test_a_second_run_publishes_the_next_version(tmp_path: Path) -> None:
    for _ in range(2):
        run("digits", [f"store={tmp_path}", f"out={tmp_path / 'out'}", *SHORT, "name=mine"])
    assert published(tmp_path) == [ModelId("mine", 1), ModelId("mine", 2)]


def test_a_store_that_is_not_there_is_refused_before_the_first_step(tmp_path: Path) -> None:
    given = [f"store={tmp_path / 'nowhere'}", f"out={tmp_path / 'out'}"]
    with pytest.raises(StoreNotWritable, match="publish=false"):
        run("digits", given)
    assert not (tmp_path / "out").exists()


def test_a_run_whose_store_vanished_is_published_by_going_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    store.mkdir()
    given = [f"store={store}", f"out={tmp_path / 'out'}", *SHORT]
    with monkeypatch.context() as before_publishing:
        before_publishing.setattr("training.run.publish", lambda *_: _lose(store))
        with pytest.raises(StoreNotWritable):
            run("digits", given)
    store.mkdir()
    assert run("digits", [*given, "resume=true"]).published == ModelId("digits", 1)


def _lose(store: Path) -> None:
    shutil.rmtree(store)
    raise StoreNotWritable(f"{store} is gone")


def test_missing_data_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "mnist_quick", f"data={tmp_path / 'nowhere'}", "publish=false"]
    assert main([*words, f"out={tmp_path}"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: data={tmp_path / 'nowhere'}: there is no such file or folder")
    assert len(said.splitlines()) == 1


def test_a_recipe_that_needs_data_says_how_to_give_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="data=PATH"):
        run("mnist", ["publish=false", f"out={tmp_path}"])


def test_a_device_that_is_not_there_is_refused_by_name() -> None:
    count = torch.cuda.device_count()
    with pytest.raises(ConfigError, match=f"device=cuda:{count}.*choose device=cpu"):
        find_device(f"cuda:{count}")
    assert find_device("cpu").type == "cpu"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_run_on_cuda_publishes_a_model_for_the_cpu(tmp_path: Path) -> None:
    given = ["device=cuda", f"store={tmp_path}", f"out={tmp_path / 'out'}", *SHORT]
    model = run("digits", given).published
    assert model is not None
    load(tmp_path, model)


def test_without_tensorboard_the_key_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"pip install 'latentd\[training\]'"):
        run("digits", ["tensorboard=true", "publish=false", f"out={tmp_path}", *SHORT])
