"""Which models are loaded, and which one a reference means."""

from collections.abc import Sequence
from pathlib import Path

from app.engine.loaded_model import LoadedModel
from app.errors import ModelNotServed, SettingsError
from model_store import ModelId, find, published

# The name that is served first where the operator names none.
USUAL_DEFAULT = "mnist"


def choose_models(store: Path, wanted: Sequence[str]) -> list[ModelId]:
    """What to load, the default model first.

    `wanted` are references; none of them means the latest version of every published name. Raises
    ModelNotFound for a reference that is not there and SettingsError for an empty store.
    """
    if wanted:
        return list(dict.fromkeys(find(store, reference) for reference in wanted))
    latest = {model.name: model for model in published(store)}  # in rising versions
    if not latest:
        raise SettingsError(
            f"LATENTD_STORE={store}: no model is published there; publish one with "
            "`python -m training run digits`, or name another store"
        )
    return sorted(latest.values(), key=lambda model: (model.name != USUAL_DEFAULT, model.name))


class ModelPool:
    """The loaded models; the first is the default one."""

    def __init__(self, models: Sequence[LoadedModel]) -> None:
        self.models = tuple(models)
        # `name@version` for each, and `name` for its latest version here.
        self._by_reference = {
            reference: loaded
            for loaded in sorted(models, key=lambda loaded: loaded.model.version)
            for reference in (loaded.model.name, str(loaded.model))
        }

    @property
    def default(self) -> LoadedModel:
        """The model that answers where none is named."""
        return self.models[0]

    def find(self, reference: str) -> LoadedModel:
        """The model that `reference`, a name or name@version, means; or ModelNotServed."""
        loaded = self._by_reference.get(reference)
        if loaded is None:
            served = ", ".join(str(model.model) for model in self.models)
            raise ModelNotServed(
                f"no loaded model is called {reference[:80]!r}; served: {served}. A published "
                "model is loaded at the start, if LATENTD_MODELS names it or is empty"
            )
        return loaded
