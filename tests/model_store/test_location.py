from pathlib import Path

import pytest

from model_store import IllegalName, ModelId, ModelNotFound, find, legal_name, published, store_path
from tests.model_store.tiny import publish_tiny


def planted(store: Path, *models: str) -> None:
    for model in models:
        name, version = model.split("@")
        folder = store / name / version
        folder.mkdir(parents=True)
        (folder / "manifest.json").touch()


def test_a_model_is_written_as_its_reference() -> None:
    assert str(ModelId("mnist", 12)) == "mnist@12"


@pytest.mark.parametrize("name", ["a", "7", "mnist", "mnist-deep_2", "x" * 63])
def test_a_legal_name_is_given_back(name: str) -> None:
    assert legal_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "x" * 64, "MNIST", "-a", "_a", ".a", "a.b", "a/b", "..", "a b", "a@1", "a\n", "é", "a\0"],
)
def test_an_illegal_name_is_refused_with_the_rule(name: str) -> None:
    with pytest.raises(IllegalName, match="1 to 63 characters of a-z"):
        legal_name(name)


def test_a_bare_name_means_the_highest_version_by_number(store: Path) -> None:
    planted(store, "mnist@9", "mnist@10", "other@11")
    assert find(store, "mnist") == ModelId("mnist", 10)


def test_a_version_can_be_asked_for(store: Path) -> None:
    planted(store, "mnist@1", "mnist@2")
    assert find(store, "mnist@1") == ModelId("mnist", 1)


@pytest.mark.parametrize("reference", ["mnist@", "mnist@0", "mnist@01", "mnist@-1", "mnist@latest"])
def test_what_is_no_version_number_is_refused(store: Path, reference: str) -> None:
    with pytest.raises(IllegalName):
        find(store, reference)


def test_an_unknown_model_is_answered_with_what_there_is(store: Path) -> None:
    planted(store, "mnist@1", "faces@3")
    with pytest.raises(ModelNotFound, match=r"mnist@2 is not in .*published there: mnist@1$"):
        find(store, "mnist@2")
    with pytest.raises(ModelNotFound, match="published there: faces@3, mnist@1"):
        find(store, "digits")


def test_a_missing_store_holds_nothing_and_says_so(tmp_path: Path) -> None:
    assert published(tmp_path / "nowhere") == []
    with pytest.raises(ModelNotFound, match="LATENTD_STORE"):
        find(tmp_path / "nowhere", "mnist")


def test_leftovers_and_foreign_files_are_not_published(store: Path) -> None:
    publish_tiny(store)
    planted(store, ".staging-0123@1", "UPPER@1", "tiny@v2", "tiny@02")
    (store / "README").touch()
    (store / "empty" / "1").mkdir(parents=True)
    (store / "tiny" / "5").touch()
    assert published(store) == [ModelId("tiny", 1)]


def test_versions_are_listed_by_name_then_number(store: Path) -> None:
    planted(store, "b@10", "b@9", "a@2")
    assert [str(model) for model in published(store)] == ["a@2", "b@9", "b@10"]


def test_the_store_is_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LATENTD_STORE", str(tmp_path))
    assert store_path() == tmp_path
    monkeypatch.setenv("LATENTD_STORE", "")
    assert store_path().parts[-2:] == ("model_store", "published")
