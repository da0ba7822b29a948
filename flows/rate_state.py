"""Where the rate budget of a run is kept: a file of this machine, or tables of a database."""

import time
from hashlib import sha256
from pathlib import Path

from extract.budget import WINDOW_S, Budget, Metered, Unmetered
from extract.budget_file import SqliteBudget
from extract.patience import Sleeper
from flows.given import PREFIX
from flows.object_store import is_server
from flows.settings import Settings, state_home
from flows.warehouse import is_directory, local_path
from livetraffic.errors import ConfigError

STATE_FILE = ".state.sqlite"
_SQLITE = "sqlite:///"


def budget_of(settings: Settings, beside: Path, *, sleep: Sleeper, keeps: bool) -> Budget:
    """The budget that the settings name: ``LIVE_TRAFFIC_STATE``, the warehouse, or a file ``beside``.

    Args:
        settings: of the run.
        beside: the directory of what is kept beside the warehouse.
        sleep: waits; True when the run was asked to stop.
        keeps: whether the state is made where there is none. Without it, nothing is metered then.

    Raises:
        ConfigError: the URL cannot be used.
        SinkError: the state cannot be used.
    """
    setting, state = f"{PREFIX}STATE", settings.state
    if state is None and is_server(settings.warehouse):
        setting, state = f"{PREFIX}WAREHOUSE", settings.warehouse
    if state is None:
        state = str(beside / STATE_FILE)
    if keeps or _is_kept(state, setting):
        return shared_budget(state, setting=setting, sleep=sleep)
    return Unmetered(sleep=sleep)


def shared_budget(
    state: str, *, sleep: Sleeper, setting: str = f"{PREFIX}STATE", window_s: float = WINDOW_S
) -> Metered:
    """The budget at a path or URL.

    Raises:
        ConfigError: the URL cannot be used.
        SinkError: the file cannot be used.
    """
    if is_server(state):
        from load.database.rate_windows import DatabaseWindows  # SQLAlchemy and a driver

        windows = DatabaseWindows(state, window_s=window_s, setting=setting)
        return Metered(windows, sleep=sleep)
    return SqliteBudget(_file(state, setting), clock=time.time, sleep=sleep, window_s=window_s)


def beside(settings: Settings, account: str, endpoint: str) -> Path:
    """The directory of what is kept beside a warehouse: the rate budget and rejected answers.

    A database has no directory: then it is one of the user's own for this account and endpoint, which
    all processes of this user on this machine share.
    """
    if is_directory(settings.warehouse):
        return local_path(settings.warehouse)
    name = sha256(f"{account} {endpoint}".encode()).hexdigest()[:16]
    return state_home() / "live-traffic" / name


def is_shared_by_machines(settings: Settings) -> bool:
    """Whether the budget is kept where all machines reach it."""
    return is_server(settings.state or settings.warehouse)


def _is_kept(state: str, setting: str) -> bool:
    if not is_server(state):
        return _file(state, setting).exists()
    from load.database.rate_windows import DatabaseWindows

    return DatabaseWindows(state, window_s=WINDOW_S, setting=setting).usable()


def _file(state: str, setting: str) -> Path:
    path = state.removeprefix(_SQLITE)
    if "://" in path or not path:
        raise ConfigError(
            f"{setting} names neither a file nor a database that can keep the rate budget.",
            "Give a path, or the URL of a database: postgresql://… or mysql://….",
        )
    return Path(path).expanduser()
