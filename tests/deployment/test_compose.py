"""The compose file: what each service serves, mounts, reserves and hands on."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped] # ships no types; its stubs would be one more pin

from app.server import CLEARING_SECONDS
from app.settings import Settings
from app.supervisor import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
STORE = "./model_store/published:/store"


def as_by_default(text: str) -> str:
    """`text` with each `${NAME:-value}` as compose reads it where no variable is set."""
    return re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", text)


def volumes(service: str) -> list[str]:
    return [as_by_default(volume) for volume in SERVICES[service]["volumes"]]


def ports(service: str) -> list[str]:
    return [as_by_default(port) for port in SERVICES[service]["ports"]]


def test_only_the_cpu_service_comes_up_without_a_profile() -> None:
    profiles = {name: service.get("profiles", []) for name, service in SERVICES.items()}
    assert profiles == {"serve": [], "serve-gpu": ["gpu"], "train": ["train"]}


def test_the_services_are_reachable_from_this_machine_at_ports_of_their_own() -> None:
    assert ports("serve") == ["127.0.0.1:8000:8000"]
    assert ports("serve-gpu") == ["127.0.0.1:8001:8000"]


def test_what_serves_cannot_write_the_store_and_what_trains_can() -> None:
    assert volumes("serve") == volumes("serve-gpu") == [f"{STORE}:ro"]
    assert STORE in volumes("train")


def test_all_services_look_for_the_store_where_it_is_mounted() -> None:
    assert {service["environment"]["LATENTD_STORE"] for service in SERVICES.values()} == {"/store"}


@pytest.mark.parametrize("service", ["serve", "serve-gpu"])
def test_every_setting_can_be_given_to_a_service(service: str) -> None:
    assert {f"LATENTD_{name.upper()}" for name in Settings.model_fields} <= set(
        SERVICES[service]["environment"]
    )


def test_no_default_of_a_setting_is_repeated() -> None:
    given = {key for key, value in SERVICES["serve"]["environment"].items() if value is not None}
    assert given == {"LATENTD_HOST", "LATENTD_PORT", "LATENTD_STORE"}


def test_the_gpu_service_reserves_a_gpu_and_refuses_to_do_without() -> None:
    service = SERVICES["serve-gpu"]
    devices = service["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]
    assert as_by_default(service["environment"]["LATENTD_DEVICE"]) == "cuda"
    assert as_by_default(service["build"]["args"]["TORCH_INDEX_URL"]) == ""


def test_only_the_training_image_gets_the_training_extras() -> None:
    extras = {name: service["build"]["args"].get("EXTRAS") for name, service in SERVICES.items()}
    assert extras == {"serve": None, "serve-gpu": None, "train": "training"}
    assert len({service["image"] for service in SERVICES.values()}) == len(SERVICES)


def test_the_words_after_train_are_a_recipe_and_its_keys() -> None:
    assert SERVICES["train"]["entrypoint"] == ["python", "-m", "training", "run"]
    assert SERVICES["train"]["command"] == ["digits"]


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_has_more_rights_than_it_needs(service: str) -> None:
    assert SERVICES[service]["cap_drop"] == ["ALL"]
    assert SERVICES[service]["security_opt"] == ["no-new-privileges:true"]
    assert SERVICES[service].get("read_only", False) is (service != "train")


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_an_init(service: str) -> None:
    assert SERVICES[service]["init"] is True


@pytest.mark.parametrize("service", ["serve", "serve-gpu"])
def test_the_grace_lets_requests_in_progress_be_answered(service: str) -> None:
    grace = re.fullmatch(r"(\d+)s", as_by_default(SERVICES[service]["stop_grace_period"]))
    assert grace is not None
    settings = Settings()
    worker = settings.drain_delay_s + settings.shutdown_seconds
    # A supervisor kills a worker that does not end; then it ends itself.
    assert int(grace[1]) >= worker + PATIENCE_SECONDS + CLEARING_SECONDS


def configured(**environment: str) -> dict[str, Any]:
    """What `docker compose config` makes of the file; skips where there is no compose."""
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("docker is not installed: compose's own reading of the file was not checked")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("LATENTD_")}
    compose = [docker, "compose", "--file", str(COMPOSE)]
    version = subprocess.run([*compose, "version"], capture_output=True, check=False)
    if version.returncode != 0:
        pytest.skip("docker has no compose plugin: compose's own reading was not checked")
    answer = subprocess.run(
        [*compose, "--profile", "gpu", "--profile", "train", "config", "--format", "json"],
        capture_output=True,
        check=True,
        env=inherited | environment,
        text=True,
    )
    services: dict[str, Any] = json.loads(answer.stdout)["services"]
    return services


def test_compose_itself_accepts_the_file() -> None:
    services = configured()
    assert set(services) == set(SERVICES)
    (mount,) = services["serve"]["volumes"]
    assert (mount["source"], mount["target"], mount["read_only"]) == (
        str(ROOT / "model_store" / "published"),
        "/store",
        True,
    )


def test_compose_hands_the_variables_on() -> None:
    services = configured(
        LATENTD_HOST="0.0.0.0", LATENTD_PORT="9000", LATENTD_STORE="/models", LATENTD_MODELS="mnist"
    )
    (port,) = services["serve"]["ports"]
    assert (port["host_ip"], port["published"], port["target"]) == ("0.0.0.0", "9000", 8000)
    assert services["serve"]["environment"]["LATENTD_MODELS"] == "mnist"
    assert services["serve"]["environment"]["LATENTD_PORT"] == "8000"
    assert services["serve"]["volumes"][0]["source"] == "/models"
    assert services["train"]["volumes"][0]["source"] == "/models"
