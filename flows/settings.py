"""The one reader of the environment: flags > ``LIVE_TRAFFIC_*`` > ``live-traffic.toml`` > defaults.

Names that Huawei's SDK reads (``HUAWEICLOUD_SDK_AK`` …) are fall-backs, and every secret can come from a
file (``LIVE_TRAFFIC_TOKEN_FILE``). Nothing below ``flows`` sees these settings: ``bootstrap`` hands
each part its plain arguments.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from livetraffic.domain import domain_name
from livetraffic.errors import ConfigError
from livetraffic.instants import parse_duration
from livetraffic.window import MINUTE

PREFIX = "LIVE_TRAFFIC_"
CONFIG_FILE = "live-traffic.toml"
SECRETS = ("token", "ak", "sk", "security_token", "password")
SDK_NAMES = {
    "ak": "HUAWEICLOUD_SDK_AK",
    "sk": "HUAWEICLOUD_SDK_SK",
    "security_token": "HUAWEICLOUD_SDK_SECURITY_TOKEN",
    "project_id": "HUAWEICLOUD_SDK_PROJECT_ID",
}
_PLACES = frozenset({"CONFIG"})
"""Variables with our prefix that are not settings themselves."""


class Settings(BaseSettings):
    """Everything a run can be told. Durations are seconds once read; secrets have a masked repr."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    warehouse: str = "./warehouse"
    region: str | None = None
    project_id: str | None = None
    endpoint: str | None = None
    iam_endpoint: str | None = None
    domains: tuple[str, ...] = ()
    api: Literal["v1"] = "v1"
    step_minutes: Literal[5, 60, 1440] = 5
    settle_after: int = 24 * 60 * MINUTE
    requests_per_minute: int = Field(300, ge=1, le=1_000_000)
    timezone: str = "Asia/Shanghai"
    state: str | None = None
    idle: Literal["auto", "zero", "omit"] = "auto"
    retention: int = 90 * 24 * 60 * MINUTE
    span: int = 30 * 24 * 60 * MINUTE
    delay: int = 15 * MINUTE
    margin: int = 60 * MINUTE
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    log_format: Literal["text", "json"] = "text"
    token: SecretStr | None = None
    ak: SecretStr | None = None
    sk: SecretStr | None = None
    security_token: SecretStr | None = None
    username: str | None = None
    password: SecretStr | None = None
    account: str | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then the environment, then the file (which checks its own keys)."""
        return (
            init_settings,
            InitSettingsSource(settings_cls, from_environment(os.environ)),
            InitSettingsSource(settings_cls, from_file(os.environ)),
        )

    @field_validator("settle_after", "retention", "span", "delay", "margin", mode="before")
    @classmethod
    def _duration(cls, value: object, info: ValidationInfo) -> object:
        name = PREFIX + str(info.field_name).upper()
        return parse_duration(value, name) if isinstance(value, str) else value

    @field_validator("step_minutes", mode="before")
    @classmethod
    def _step(cls, value: object) -> object:
        return int(value) if isinstance(value, str) and value.isdecimal() else value

    @field_validator("domains", mode="before")
    @classmethod
    def _domains(cls, value: object) -> object:
        names = value.split(",") if isinstance(value, str) else value
        if not isinstance(names, list | tuple):
            return value
        return tuple(dict.fromkeys(domain_name(str(name)) for name in names if str(name).strip()))

    @field_validator("timezone")
    @classmethod
    def _timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (OSError, ValueError, KeyError) as error:
            msg = "it is not the name of a time zone such as Asia/Shanghai"
            raise ValueError(msg) from error
        return value

    @property
    def step(self) -> int:
        """The step in seconds."""
        return self.step_minutes * MINUTE

    @property
    def zone(self) -> ZoneInfo:
        """The business time zone."""
        return ZoneInfo(self.timezone)


def load(flags: Mapping[str, Any] | None = None) -> Settings:
    """The settings of this process; flags that are None or empty were not given.

    Raises:
        ConfigError: an unknown or unusable setting, in one sentence that names it.
    """
    given = {name: value for name, value in (flags or {}).items() if value not in (None, (), [])}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise _sentence(error) from None
    _check_limits(settings)
    return settings


def from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings that the environment gives; empty variables count as not set.

    Raises:
        ConfigError: an unknown ``LIVE_TRAFFIC_`` name, or a secret given twice or in no readable file.
    """
    found: dict[str, str] = {}
    for variable, value in environ.items():
        if not variable.startswith(PREFIX) or not value:
            continue
        name = variable.removeprefix(PREFIX)
        if name in _PLACES:
            continue
        field = name.lower()
        if field.removesuffix("_file") in SECRETS and field.endswith("_file"):
            field = field.removesuffix("_file")
            if environ.get(PREFIX + field.upper()):
                raise ConfigError(
                    f"{PREFIX}{field.upper()} and {variable} are both set.", "Keep one of them."
                )
            found[field] = _secret_file(variable, value)
            continue
        _known(field, variable)
        found[field] = value
    ours = {"token", "ak", "sk", "username", "password"} & found.keys()
    for field, variable in SDK_NAMES.items():
        if environ.get(variable) and field not in found and (field == "project_id" or not ours):
            found[field] = environ[variable]
    return found


def from_file(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings in ``live-traffic.toml`` of this directory, or where ``LIVE_TRAFFIC_CONFIG`` says.

    Raises:
        ConfigError: the named file is missing, not TOML, or holds an unknown key.
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
    for key in values:
        _known(key, f"{key} in {path}")
    return values


def _known(field: str, shown: str) -> None:
    if field in Settings.model_fields:
        return
    near = difflib.get_close_matches(field, Settings.model_fields, n=1)
    names = ", ".join(sorted(Settings.model_fields))
    remedy = f"Did you mean {_named(near[0], shown)}?" if near else f"The settings are: {names}."
    raise ConfigError(f"There is no setting {shown}.", remedy)


def _named(field: str, shown: str) -> str:
    return PREFIX + field.upper() if shown.startswith(PREFIX) else field


def _secret_file(variable: str, path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ConfigError(
            f"{variable} names {path}, which cannot be read: {reason}.",
            "Give a readable file that holds only the secret.",
        ) from error


def _sentence(error: ValidationError) -> ConfigError:
    """The first complaint as one sentence; the value is shown unless it is a secret."""
    first = error.errors(include_url=False, include_input=True)[0]
    field = str(first["loc"][0]) if first["loc"] else "settings"
    name = f"{PREFIX}{field.upper()}"
    reason = str(first["msg"]).removeprefix("Value error, ")
    shown = "" if field in SECRETS else f" is {first['input']!r}"
    return ConfigError(
        f"The setting {field} ({name}){shown}, which cannot be used: {reason}.",
        f"Correct the flag, {name} or the key in {CONFIG_FILE}.",
    )


def _check_limits(settings: Settings) -> None:
    """Durations that would make the plan ask for nothing or go off its grid."""
    if settings.span < settings.step or settings.span % settings.step:
        raise ConfigError(
            f"{PREFIX}SPAN is not a multiple of the step of {settings.step_minutes} minutes.",
            "Give the longest range a request may have, such as 30d.",
        )
    if settings.retention <= settings.margin + settings.delay + settings.step:
        raise ConfigError(
            f"{PREFIX}RETENTION leaves nothing to read after the margin and the delay.",
            "Give how far back the source answers, such as 90d.",
        )


def state_home(environ: Mapping[str, str] | None = None) -> Path:
    """Where this user's programs keep their state, by the XDG rule."""
    given = (os.environ if environ is None else environ).get("XDG_STATE_HOME", "")
    return Path(given) if Path(given).is_absolute() else Path.home() / ".local" / "state"


def prefect_is_configured(environ: Mapping[str, str] | None = None) -> bool:
    """Whether a Prefect API is configured, by variable or profile, without importing Prefect."""
    env = os.environ if environ is None else environ
    if env.get("PREFECT_API_URL"):
        return True
    home = Path(env.get("PREFECT_HOME") or Path.home() / ".prefect")
    profiles = Path(env.get("PREFECT_PROFILES_PATH") or home / "profiles.toml")
    try:
        with profiles.open("rb") as file:
            content = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError):
        return False
    active = env.get("PREFECT_PROFILE") or content.get("active")
    profile = content.get("profiles", {}).get(active, {})
    return bool(isinstance(profile, dict) and profile.get("PREFECT_API_URL"))


def calm_prefect() -> None:
    """Defaults for Prefect before it is imported: nothing phones home, a slow start is waited for."""
    for name, value in {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_LOGGING_LEVEL": "WARNING",
    }.items():
        os.environ.setdefault(name, value)


@contextmanager
def only(values: Mapping[str, str]) -> Iterator[None]:
    """The environment with these settings and no other of ours, for the demo."""
    ours = {k: v for k, v in os.environ.items() if k.startswith((PREFIX, *SDK_NAMES.values()))}
    for name in ours:
        del os.environ[name]
    given = {PREFIX + name.upper(): value for name, value in values.items()}
    os.environ.update(given)
    try:
        yield
    finally:
        for name in given:
            del os.environ[name]
        os.environ.update(ours)


def use_prefect_api(url: str) -> None:
    """Make this the Prefect API of this process and its children."""
    os.environ["PREFECT_API_URL"] = url
