"""What is copied onto a machine says what the code does: units, container, compose file."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from flows.given import KEPT, PREFIX
from flows.secret_places import place_of
from flows.settings import Settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
CONTAINER = DEPLOY / "container"
UNIT = DEPLOY / "systemd/live-traffic.service"


def known_setting(variable: str) -> bool:
    """Whether the settings know a variable with our prefix."""
    name = variable.removeprefix(PREFIX).lower()
    return name == "config" or name in Settings.model_fields or any(place_of(name, KEPT))


@pytest.mark.parametrize(
    "path", sorted(p for p in DEPLOY.rglob("*") if p.is_file()), ids=lambda p: p.name
)
def test_every_setting_named_is_one(path):
    """An unknown setting would end each run with exit code 2."""
    for variable in re.findall(rf"{PREFIX}[A-Z0-9_]+", path.read_text()):
        assert known_setting(variable), variable


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((CONTAINER / "compose.yaml").read_text())


def test_every_service_has_a_health_check_and_waits_for_healthy_ones(compose):
    """Nothing starts against a service that is not ready, and what hangs is seen."""
    assert compose["services"].keys() == {"database", "server", "worker"}
    for service in compose["services"].values():
        assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
        assert service["restart"] == "unless-stopped"
        for condition in service.get("depends_on", {}).values():
            assert condition == {"condition": "service_healthy"}


def test_secrets_come_as_files_and_ports_stay_on_the_machine(compose):
    """No secret in the environment, every file declared, no port for the network."""
    declared = compose["secrets"].keys()
    for service in compose["services"].values():
        granted = set(service["secrets"])
        assert granted <= declared
        for name, value in service["environment"].items():
            assert not re.search(r"(PASSWORD|_SK|_AK|TOKEN|WAREHOUSE)$", name), name
            if str(value).startswith("/run/secrets/"):
                assert name.endswith("_FILE")
                assert value.removeprefix("/run/secrets/") in granted
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    asked_for = set(re.findall(r"\(password (\w+)\)", (CONTAINER / "databases.sh").read_text()))
    assert asked_for <= set(compose["services"]["database"]["secrets"])


def test_what_the_container_file_and_the_mounts_copy_exists(compose):
    """Sources are there, packages are whole, scripts may be run."""
    text = (CONTAINER / "Containerfile").read_text()
    copied = [line.split()[1:-1] for line in text.splitlines() if line.startswith("COPY ")]
    sources = [name for names in copied for name in names if not name.startswith(("--from", "/"))]
    assert all((ROOT / name).exists() for name in sources)
    assert {"flows", "extract", "load", "sql", "livetraffic", "requirements.lock"} <= set(sources)
    for service in compose["services"].values():
        for mount in service.get("volumes", []):
            if mount.startswith("."):
                assert (CONTAINER / mount.split(":")[0]).exists()
    for script in CONTAINER.glob("*.sh"):
        assert script.stat().st_mode & 0o111
        assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0


@pytest.mark.skipif(
    shutil.which("docker-compose") is None, reason="docker-compose is not installed"
)
def test_compose_accepts_its_file(tmp_path):
    """The real reader of the file resolves it."""
    done = subprocess.run(
        ["docker-compose", "--file", str(CONTAINER / "compose.yaml"), "config", "--quiet"],
        env={"PATH": "/usr/bin:/bin", "LIVE_TRAFFIC_REGION": "cn-north-4"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_unit_retries_what_passes_and_leaves_the_rest_to_people():
    """The exit codes of the README."""
    values = dict(re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), re.MULTILINE))
    assert values["RestartPreventExitStatus"].split() == ["2", "3", "4"]
    assert "5" in values["SuccessExitStatus"].split()
    assert values["ExecStart"].endswith("live-traffic nightly --engine direct")
    assert values["ProtectSystem"] == "strict"
    granted = set(re.findall(r"^LoadCredential=(\w+):", UNIT.read_text(), re.MULTILINE))
    used = set(re.findall(r"=%d/(\w+)", "\n".join(
        line for line in UNIT.read_text().splitlines() if not line.startswith("#")
    )))  # fmt: skip
    assert used == granted


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_reads_the_units(tmp_path):
    """Its own checker: no unknown directive, no unit that cannot be loaded; and little is exposed."""
    for name in ("live-traffic.service", "live-traffic.timer"):
        text = (DEPLOY / "systemd" / name).read_text()
        (tmp_path / name).write_text(
            text.replace("/opt/live-traffic/bin/live-traffic", "/bin/true")
        )
    units = [str(tmp_path / name) for name in ("live-traffic.service", "live-traffic.timer")]
    done = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", units[0]],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout.splitlines()[-1:]
