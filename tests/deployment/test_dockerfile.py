"""The rules that the Dockerfile keeps, each also shown a Dockerfile that breaks it."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deployment.dockerfile import Dockerfile, exec_form, read

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text()


def final_stage_builds_nothing(dockerfile: Dockerfile) -> bool:
    forbidden = ("pip", "apt-get", "gcc", "build-essential")
    runs = dockerfile.stages[-1].arguments("RUN")
    copied = dockerfile.stages[-1].arguments("COPY")
    return not any(word in run for run in runs for word in forbidden) and all(
        copy.startswith("--from=") for copy in copied
    )


def every_stage_stands_on_the_base_argument(dockerfile: Dockerfile) -> bool:
    return len(dockerfile.stages) > 1 and all(
        stage.base == "${BASE_IMAGE}" for stage in dockerfile.stages
    )


def dependencies_see_no_code(dockerfile: Dockerfile) -> bool:
    stage = dockerfile.stage("dependencies")
    return stage.arguments("COPY") == ["pyproject.toml constraints.txt ./"] and not stage.arguments(
        "ADD"
    )


def dependencies_are_pinned(dockerfile: Dockerfile) -> bool:
    installs = [
        run for run in dockerfile.stage("dependencies").arguments("RUN") if "pip install" in run
    ]
    return len(installs) > 0 and all("--constraint constraints.txt" in run for run in installs)


def torch_is_the_cpu_build_by_default(dockerfile: Dockerfile) -> bool:
    return dockerfile.defaults["TORCH_INDEX_URL"].endswith("/cpu")


def there_are_no_extras_by_default(dockerfile: Dockerfile) -> bool:
    installs = " ".join(dockerfile.stage("dependencies").arguments("RUN"))
    return dockerfile.defaults["EXTRAS"] == "" and ".[" not in installs


def training_leaves_unless_asked_for(dockerfile: Dockerfile) -> bool:
    return any("rm -r training" in run for run in dockerfile.stage("code").arguments("RUN"))


def user_is_a_fixed_number_and_not_root(dockerfile: Dockerfile) -> bool:
    users = dockerfile.stages[-1].arguments("USER")
    return bool(users) and users[-1].split(":")[0].isdecimal() and int(users[-1].split(":")[0]) > 0


def command_is_in_exec_form(dockerfile: Dockerfile) -> bool:
    commands = dockerfile.stages[-1].arguments("CMD")
    return [exec_form(each) for each in commands] == [["python", "-m", "app"]]


def health_check_is_in_exec_form(dockerfile: Dockerfile) -> bool:
    checks = dockerfile.stages[-1].arguments("HEALTHCHECK")
    commands = [exec_form(each.partition(" CMD ")[2]) for each in checks]
    return commands == [["python", "-m", "app", "health"]]


def service_is_reachable_at_port_8000(dockerfile: Dockerfile) -> bool:
    environment = " ".join(dockerfile.stages[-1].arguments("ENV")).split()
    exposed = dockerfile.stages[-1].arguments("EXPOSE")
    return {"LATENTD_HOST=0.0.0.0", "LATENTD_PORT=8000"} <= set(environment) and exposed == ["8000"]


def output_is_not_buffered(dockerfile: Dockerfile) -> bool:
    return "PYTHONUNBUFFERED=1" in " ".join(dockerfile.stages[-1].arguments("ENV")).split()


def label_tells_the_version(dockerfile: Dockerfile) -> bool:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    labels = " ".join(dockerfile.stages[-1].arguments("LABEL"))
    return f'org.opencontainers.image.version="{version}"' in labels


# Each rule with a fault that it must see: what stands in the Dockerfile, what is put in its place.
RULES: dict[Callable[[Dockerfile], bool], tuple[str, str]] = {
    final_stage_builds_nothing: ("EXPOSE 8000", "RUN apt-get install gcc"),
    every_stage_stands_on_the_base_argument: ("FROM ${BASE_IMAGE} AS code", "FROM debian AS code"),
    dependencies_see_no_code: ("COPY pyproject.toml constraints.txt ./", "COPY . ."),
    dependencies_are_pinned: ("--no-deps --constraint constraints.txt", "--no-deps"),
    torch_is_the_cpu_build_by_default: ("/whl/cpu", "/whl/cu130"),
    there_are_no_extras_by_default: ('ARG EXTRAS=""', "ARG EXTRAS=training"),
    training_leaves_unless_asked_for: ("rm -r training", "true"),
    user_is_a_fixed_number_and_not_root: ("USER 10001:10001", "USER latentd"),
    command_is_in_exec_form: ('\nCMD ["python", "-m", "app"]', "\nCMD python -m app"),
    health_check_is_in_exec_form: ('["python", "-m", "app", "health"]', "curl -f localhost"),
    service_is_reachable_at_port_8000: ("LATENTD_HOST=0.0.0.0", "LATENTD_HOST=127.0.0.1"),
    output_is_not_buffered: ("PYTHONUNBUFFERED=1", "PYTHONUNBUFFERED="),
    label_tells_the_version: ('image.version="', 'image.version="9'),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_dockerfile_keeps_the_rule(rule: Callable[[Dockerfile], bool]) -> None:
    assert rule(read(TEXT))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_sees_a_fault(rule: Callable[[Dockerfile], bool]) -> None:
    sound, faulty = RULES[rule]
    assert sound in TEXT
    assert not rule(read(TEXT.replace(sound, faulty)))


def test_the_build_context_holds_just_what_is_copied() -> None:
    copied = {
        source
        for stage in read(TEXT).stages
        for argument in stage.arguments("COPY")
        if not argument.startswith("--from=")
        for source in argument.split()[:-1]
    }
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    assert {pattern[1:] for pattern in patterns if pattern.startswith("!")} == copied
    assert "**/__pycache__" in patterns
