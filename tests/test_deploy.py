"""The files in ``deploy`` agree with the program that they start."""

from __future__ import annotations

import configparser
import re
import shlex
import signal
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from polymodal.cli.serve import serve
from polymodal.server.serving import STOP_SECONDS

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
DEPLOYMENT, SERVICE = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8"))
INFERENCE = yaml.safe_load((DEPLOY / "inferenceservice.yaml").read_text(encoding="utf-8"))


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string((DEPLOY / "polymodal.service").read_text(encoding="utf-8"))
    return parser


def containers() -> list[dict[str, Any]]:
    return [DEPLOYMENT["spec"]["template"]["spec"]["containers"][0], INFERENCE["spec"]["predictor"]["containers"][0]]


def arguments() -> dict[str, list[str]]:
    """The arguments of ``polymodal serve`` in each file."""
    docker = yaml.safe_load(re.search(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE).group(1))  # type: ignore[union-attr]
    _, _, *systemd = shlex.split(unit()["Service"]["ExecStart"])
    return {
        "Dockerfile": docker,
        "polymodal.service": systemd,
        "kubernetes.yaml": containers()[0]["args"],
        "inferenceservice.yaml": containers()[1]["args"],
    }


def parsed(words: list[str]) -> dict[str, Any]:
    """The values that the command takes from arguments."""
    found: dict[str, Any] = serve.make_context("serve", list(words)).params
    return found


@pytest.mark.parametrize("name", ["Dockerfile", "polymodal.service", "kubernetes.yaml", "inferenceservice.yaml"])
def test_every_option_exists_and_names_a_model(name: str) -> None:
    found = parsed(arguments()[name])
    assert re.fullmatch(r"\w+=/[\w/]+", found["runs"][0])
    assert found["host"] == ("127.0.0.1" if name == "polymodal.service" else "0.0.0.0")


def test_an_option_that_does_not_exist_would_be_found() -> None:
    with pytest.raises(click.NoSuchOption):
        parsed(["model=/model", "--hots", "0.0.0.0"])


def test_ports_are_those_that_the_server_listens_on() -> None:
    ports = {name: parsed(words)["port"] for name, words in arguments().items()}
    assert f"EXPOSE {ports['Dockerfile']}\n" in DOCKERFILE
    assert f"http://127.0.0.1:{ports['Dockerfile']}/ready" in DOCKERFILE
    for container, name in zip(containers(), ("kubernetes.yaml", "inferenceservice.yaml"), strict=True):
        (port,) = container["ports"]
        assert port["containerPort"] == ports[name]
        for probe in (value for key, value in container.items() if key.endswith("Probe")):
            assert probe["httpGet"]["port"] in (port["name"], port["containerPort"])
    assert SERVICE["spec"]["ports"][0]["targetPort"] == containers()[0]["ports"][0]["name"]
    assert SERVICE["spec"]["selector"] == DEPLOYMENT["spec"]["template"]["metadata"]["labels"]


def test_probes_are_routes_that_need_no_token() -> None:
    from polymodal.server.guard import _OPEN

    paths = [value["httpGet"]["path"] for container in containers() for key, value in container.items() if key.endswith("Probe")]
    assert {"/live", "/ready", "/v2/health/live", "/v2/health/ready"} == set(paths)
    assert {*paths, "/ready"} <= _OPEN


def test_nothing_is_killed_before_the_server_has_answered() -> None:
    grace = DEPLOYMENT["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace >= STOP_SECONDS + int(containers()[0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert int(unit()["Service"]["TimeoutStopSec"]) > STOP_SECONDS
    assert unit()["Service"]["SuccessExitStatus"] == str(128 + signal.SIGTERM)
    assert INFERENCE["spec"]["predictor"]["terminationGracePeriodSeconds"] > STOP_SECONDS
    assert INFERENCE["metadata"]["annotations"] == {"serving.kserve.io/deploymentMode": "RawDeployment"}  # Knative refuses the period
    assert "STOPSIGNAL SIGTERM" in DOCKERFILE


def test_the_process_is_not_root_and_writes_only_temporary_files() -> None:
    assert re.search(r"^USER 65532:65532$", DOCKERFILE, re.MULTILINE)
    assert "HOME=/tmp" in DOCKERFILE
    for container in containers():
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]
    settings = unit()["Service"]
    assert settings["DynamicUser"] == settings["NoNewPrivileges"] == settings["PrivateTmp"] == "yes"
    assert settings["ProtectSystem"] == "strict"
    assert settings["CapabilityBoundingSet"] == ""


def test_the_unit_does_not_hide_the_processor_from_torch() -> None:
    assert "ProcSubset" not in unit()["Service"]  # torch would use other kernels, and other bits


def test_versions_are_those_of_the_project() -> None:
    torch = re.search(r"torch==[\d.]+", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert torch is not None
    assert torch.group() in DOCKERFILE
    python = re.findall(r"^FROM python:3\.(\d+)-slim", DOCKERFILE, re.MULTILINE)
    required = re.search(r'requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert required is not None
    assert len(python) == 2
    assert all(int(version) >= int(required.group(1)) for version in python)


def test_the_image_contains_the_files_that_are_copied() -> None:
    ignore = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [name for line in re.findall(r"^COPY ((?!--).*) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()]
    assert copied
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name}" in ignore
