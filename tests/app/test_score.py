"""`/score`, held against a model whose likelihood is known in closed form."""

import io
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model_store import Capability, DataSpec, Scores, TensorRecord
from tests.app.conftest import problem
from tests.factories import Kind, draft_of, publish_module
from tests.serving import running

NPY = {"Content-Type": "application/x-npy"}
LOG_TWO_PI = float(np.log(2 * np.pi))
CENTRE = np.array([0.5, -0.25])


class Linear(nn.Module):
    """x = W z + noise of variance ¼, z from N(centre, I); the posterior is the true one, wider."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(6, 2, generator=torch.Generator().manual_seed(0)))
        self.centre = nn.Parameter(torch.tensor(CENTRE).float())
        weights = self.weights.detach()
        covariance = (torch.eye(2) + 4 * weights.t() @ weights).inverse()
        self.covariance = nn.Parameter(covariance)
        self.log_var = nn.Parameter(torch.log(1.5 * covariance.diag()))

    @torch.jit.export
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = (4 * x @ self.weights + self.centre) @ self.covariance
        return mean, self.log_var.expand_as(mean)

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return z @ self.weights.t()

    @torch.jit.export
    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        return (-2 * (x - z @ self.weights.t()).square() - 0.225791353).sum(1)

    @torch.jit.export
    def prior(self, noise: Tensor) -> Tensor:
        return noise + self.centre

    @torch.jit.export
    def prior_log_density(self, z: Tensor) -> Tensor:
        return (-0.5 * (z - self.centre).square() - 0.918938533).sum(1)


VECTORS = DataSpec(kind="vectors", shape=(6,), value_range=None)
LEARNED: tuple[Capability, ...] = ("log_likelihood", "prior", "prior_log_density")
DIRECTION = torch.tensor([1.0, -2.0])
QUANTILES = tuple(np.linspace(0, 200, 101).tolist())


@pytest.fixture(scope="module")
def module() -> Linear:
    return Linear().eval()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, module: Linear) -> Iterator[httpx.Client]:
    """linear@1, which says how its training rows score, and linear@2, which does not."""
    store = tmp_path_factory.mktemp("scored") / "store"
    store.mkdir()
    draft = draft_of("linear", Kind(Linear, VECTORS, (2,), LEARNED), module)
    scores = Scores(quantiles=QUANTILES, rows=10, draws=1, seed=0)
    known = {"scores": scores, "directions": {"up - down": TensorRecord.of(DIRECTION)}}
    publish_module(store, draft.model_copy(update=known), module)
    publish_module(store, draft, module)
    with running(store, models="linear@1,linear@2", max_draws=40_000) as client:
        yield client


def rows(count: int, seed: int = 0) -> NDArray[np.float32]:
    return (3 * np.random.default_rng(seed).standard_normal((count, 6))).astype(np.float32)


def scored(client: httpx.Client, x: NDArray[np.float32], query: str = "") -> dict[str, np.ndarray]:
    file = io.BytesIO()
    np.save(file, x)
    answer = client.post(f"/score?{query}", content=file.getvalue(), headers=NPY)
    assert answer.status_code == 200, answer.text
    return {key: np.array(value) for key, value in answer.json().items()}


def test_the_likelihood_is_the_exact_one(client: httpx.Client, module: Linear) -> None:
    x = rows(8)
    weights = module.weights.detach().double().numpy()
    covariance = weights @ weights.T + 0.25 * np.eye(6)
    apart = x - weights @ CENTRE
    _, log_det = np.linalg.slogdet(covariance)
    exact = -0.5 * ((apart @ np.linalg.inv(covariance) * apart).sum(1) + log_det + 6 * LOG_TWO_PI)
    found = scored(client, x, "k=5000")
    assert np.allclose(found["log_likelihood"], exact, atol=0.03)
    assert (found["negative_elbo"] > -exact).all()


def test_the_terms_are_the_expectations_they_are_named_by(
    client: httpx.Client, module: Linear
) -> None:
    x = rows(8)
    with torch.no_grad():
        mean, log_var = (part.double().numpy() for part in module.encode(torch.from_numpy(x)))
    weights = module.weights.detach().double().numpy()
    variance = np.exp(log_var)
    kl = 0.5 * ((mean - CENTRE) ** 2 + variance - 1 - log_var).sum(1)
    spread = ((weights**2) @ variance.T).sum(0)
    reconstruction = -2 * (((x - mean @ weights.T) ** 2).sum(1) + spread) - 6 * 0.225791353
    found = scored(client, x, "k=5000")
    assert np.allclose(found["kl"], kl, atol=0.1)
    assert np.allclose(found["reconstruction"], reconstruction, atol=0.2)
    assert np.allclose(found["negative_elbo"], found["kl"] - found["reconstruction"])


def test_a_row_scores_alike_in_any_company_and_by_its_seed(client: httpx.Client) -> None:
    x = rows(70)
    together, alone = scored(client, x, "k=9&seed=4"), scored(client, x[:3], "k=9&seed=4")
    for name in ("reconstruction", "kl", "negative_elbo", "log_likelihood", "percentile"):
        assert np.array_equal(together[name][:3], alone[name])
    other = scored(client, x[:3], "k=9&seed=5")
    assert not np.array_equal(other["log_likelihood"], alone["log_likelihood"])


def test_a_percentile_is_read_off_the_training_rows(client: httpx.Client) -> None:
    found = scored(client, rows(8))
    assert np.allclose(found["percentile"], (found["negative_elbo"] / 2).clip(0, 100))
    answer = client.post("/models/linear@2/score", json={"points": [{"seed": 1}]})
    assert answer.json()["percentile"] is None


def test_points_are_scored_too(client: httpx.Client) -> None:
    x = np.array(client.get("/sample?seed=3&n=2&format=json").json()["rows"], np.float32)
    points = {"points": [{"seed": 3}, {"seed": 3, "index": 1}]}
    answer = client.post("/score", json=points).json()
    assert answer["log_likelihood"] == scored(client, x)["log_likelihood"].tolist()


@pytest.mark.parametrize(
    ("query", "words"),
    [("k=1000000", "LATENTD_MAX_DRAWS"), ("k=0", "greater than or equal to 1"), ("k=x", "k")],
)
def test_a_bad_number_of_draws_is_refused(client: httpx.Client, query: str, words: str) -> None:
    body = {"points": [{"seed": 1}]}
    assert words in problem(client.post(f"/score?{query}", json=body), 422)
    assert client.post("/score?k=5", json=body).status_code == 200


def test_a_direction_is_listed_by_name_and_added_by_it(client: httpx.Client) -> None:
    assert client.get("/models/linear@1").json()["directions"] == ["up - down"]
    terms = [{"latent": [0.5, 0.5]}, {"direction": "up - down", "weight": 0.25}]
    found = client.post("/models/linear@1/arithmetic", json={"terms": terms}).json()["rows"]
    there = client.post("/models/linear@1/decode", json={"latents": [[0.75, 0]]}).json()["rows"]
    assert np.allclose(found, there)
    unknown = client.post("/models/linear@1/arithmetic", json={"terms": [{"direction": "left"}]})
    assert "it has up - down" in problem(unknown, 422)
