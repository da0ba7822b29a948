"""What a process is given: the variables of its environment and ``live-traffic.toml``, keys checked.

Names that Huawei's SDK reads (``HUAWEICLOUD_SDK_AK`` …) are fall-backs, and every secret can come from
a file (``LIVE_TRAFFIC_TOKEN_FILE``) or a Secret block of Prefect (``LIVE_TRAFFIC_TOKEN_BLOCK``).
"""

import difflib
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from flows.secret_places import SECRETS, kept_in, place_of
from livetraffic.errors import ConfigError

PREFIX = "LIVE_TRAFFIC_"
CONFIG_FILE = "live-traffic.toml"
KEPT = (*SECRETS, "warehouse")
"""What can be in a file or a block instead: the secrets, and the URL that may hold a password."""
SDK_NAMES = {
    "ak": "HUAWEICLOUD_SDK_AK",
    "sk": "HUAWEICLOUD_SDK_SK",
    "security_token": "HUAWEICLOUD_SDK_SECURITY_TOKEN",
    "project_id": "HUAWEICLOUD_SDK_PROJECT_ID",
}
_PLACES = frozenset({"CONFIG"})
"""Variables with our prefix that are not settings themselves."""


def from_environment(environ: Mapping[str, str], known: Collection[str]) -> dict[str, Any]:
    """The settings that the environment gives; empty variables count as not set.

    Raises:
        ConfigError: an unknown ``LIVE_TRAFFIC_`` name, or a secret given twice or in no readable file.
    """
    given = {
        variable.removeprefix(PREFIX).lower(): value
        for variable, value in environ.items()
        if variable.startswith(PREFIX) and value
    }
    found = _settled(
        {key: value for key, value in given.items() if key.upper() not in _PLACES},
        lambda key: PREFIX + key.upper(),
        "",
        known,
    )
    ours = {"token", "ak", "sk", "username", "password"} & found.keys()
    for field, variable in SDK_NAMES.items():
        if environ.get(variable) and field not in found and (field == "project_id" or not ours):
            found[field] = environ[variable]
    return found


def from_file(environ: Mapping[str, str], known: Collection[str]) -> dict[str, Any]:
    """The settings in ``live-traffic.toml`` of this directory, or where ``LIVE_TRAFFIC_CONFIG`` says.

    Raises:
        ConfigError: the named file is missing, not TOML, holds an unknown key, or a secret twice.
    """
    named = environ.get(f"{PREFIX}CONFIG")
    path = Path(named or CONFIG_FILE)
    if not path.exists():
        if named:
            raise ConfigError(
                f"{PREFIX}CONFIG names {path}, which does not exist.", "Correct or unset it."
            )
        return {}
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.", "Correct that line.") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", "Correct it.") from error
    return _settled(values, lambda key: f"{key} in {path}", f" in {path}", known)


def _settled(
    values: Mapping[str, Any], show: Callable[[str], str], where: str, known: Collection[str]
) -> dict[str, Any]:
    """The settings, with the secrets that are in places of their own (``sk_file``, ``sk_block``)."""
    _once(values, show, where)
    found: dict[str, Any] = {}
    for key, value in values.items():
        secret, place = place_of(key, KEPT)
        if secret:
            found[secret] = kept_in(place, str(value), show(key))
        else:
            _check_known(key, show(key), known)
            found[key] = value
    return found


def _once(keys: Iterable[str], show: Callable[[str], str], where: str) -> None:
    """Each secret is given in one way only."""
    first: dict[str, str] = {}
    for key in keys:
        field = place_of(key, KEPT)[0] or key
        other = first.setdefault(field, key)
        if other != key:
            one, two = sorted((other, key), key=len)
            raise ConfigError(
                f"{show(one).removesuffix(where)} and {show(two).removesuffix(where)}"
                f" are both set{where}.",
                "Keep one of them.",
            )


def _check_known(field: str, shown: str, known: Collection[str]) -> None:
    if field in known:
        return
    near = difflib.get_close_matches(field, known, n=1)
    names = ", ".join(sorted(known))
    remedy = f"Did you mean {_named(near[0], shown)}?" if near else f"The settings are: {names}."
    raise ConfigError(f"There is no setting {shown}.", remedy)


def _named(field: str, shown: str) -> str:
    return PREFIX + field.upper() if shown.startswith(PREFIX) else field
