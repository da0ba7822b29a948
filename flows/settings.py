"""The one reader of the environment: flags > ``LIVE_TRAFFIC_*`` > ``live-traffic.toml`` > defaults.

Names that Huawei's SDK reads (``HUAWEICLOUD_SDK_AK`` …) are fall-backs, and every secret can come from a
file (``LIVE_TRAFFIC_TOKEN_FILE``) or a Secret block of Prefect (``LIVE_TRAFFIC_TOKEN_BLOCK``). Nothing
below ``flows`` sees these settings: ``bootstrap`` hands each part its plain arguments.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from flows.accounts import CREDENTIALS, PLACES, AccountSettings
from flows.given import CONFIG_FILE, PREFIX, SDK_NAMES, from_environment, from_file
from flows.secret_places import SECRETS, BlockSecret
from livetraffic.domain import domain_name
from livetraffic.errors import ConfigError
from livetraffic.instants import parse_duration
from livetraffic.limits import V1, V2
from livetraffic.window import MINUTE


class Settings(BaseModel):
    """Everything a run can be told. Durations are seconds once read; secrets have a masked repr."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    warehouse: str = "./warehouse"
    region: str | None = None
    project_id: str | None = None
    endpoint: str | None = None
    iam_endpoint: str | None = None
    domains: tuple[str, ...] = ()
    api: Literal["auto", "v1", "v2"] = "auto"
    domain_apis: dict[str, Literal["v1", "v2"]] = {}
    accounts: tuple[AccountSettings, ...] = ()
    step_minutes: Literal[5, 60, 1440] = 5
    settle_after: int = 24 * 60 * MINUTE
    requests_per_minute: int | None = Field(None, ge=1, le=1_000_000)
    v2_requests_per_minute: int | None = Field(None, ge=1, le=1_000_000)
    timezone: str = "Asia/Shanghai"
    state: str | None = None
    s3_endpoint: str | None = None
    idle: Literal["auto", "zero", "omit"] = "auto"
    retention: int | None = None
    span: int | None = None
    v2_retention: int | None = None
    v2_span: int | None = None
    reconcile: bool = True
    reconcile_tolerance: int = Field(1, ge=0, le=1_000_000_000)
    billing_uplift: float = Field(0.0, ge=0, le=100)
    delay: int = 15 * MINUTE
    margin: int = 60 * MINUTE
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    log_format: Literal["text", "json"] = "text"
    metrics_file: str | None = None
    metrics_by_domain: bool = False
    token: SecretStr | None = None
    ak: SecretStr | None = None
    sk: SecretStr | None = None
    security_token: SecretStr | None = None
    username: str | None = None
    password: SecretStr | None = None
    account: str | None = None

    @field_validator(
        "settle_after",
        "retention",
        "span",
        "v2_retention",
        "v2_span",
        "delay",
        "margin",
        mode="before",
    )
    @classmethod
    def _duration(cls, value: object, info: ValidationInfo) -> object:
        name = PREFIX + str(info.field_name).upper()
        return parse_duration(value, name) if isinstance(value, str) else value

    @field_validator("warehouse", mode="before")
    @classmethod
    def _warehouse(cls, value: object) -> object:
        return value.get_secret_value() if isinstance(value, BlockSecret) else value

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

    @field_validator("domain_apis", mode="before")
    @classmethod
    def _domain_apis(cls, value: object) -> object:
        if isinstance(value, str):
            value = dict(item.split("=", 1) for item in value.split(",") if "=" in item)
        if not isinstance(value, dict):
            return value
        return {domain_name(str(name)): str(api).strip() for name, api in value.items()}

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
    calm_prefect()  # whoever reads a secret block imports it
    known = Settings.model_fields
    found = from_file(os.environ, known) | from_environment(os.environ, known) | given
    try:
        settings = Settings(**found)
    except ValidationError as error:
        raise _sentence(error) from None
    _check_limits(settings)
    return settings


def account_settings(settings: Settings) -> dict[str, Settings]:
    """The settings of each account by its name in the warehouse.

    Raises:
        ConfigError: two accounts of one name, or credentials outside the accounts as well.
    """
    if not settings.accounts:
        return {settings.account or "default": settings}
    outside = [name for name in CREDENTIALS if getattr(settings, name) is not None]
    if outside:
        raise ConfigError(
            f"Credentials are set both in [[accounts]] and outside of it ({outside[0]}).",
            f"Move them into [[accounts]], or unset LIVE_TRAFFIC_{outside[0].upper()}.",
        )
    found: dict[str, Settings] = {}
    for account in settings.accounts:
        if account.name in found:
            raise ConfigError(
                f"Two [[accounts]] have the name {account.name!r}.", "Give each its own."
            )
        given = {name: getattr(account, name) for name in (*CREDENTIALS, "account")}
        given |= {
            name: getattr(account, name) for name in PLACES if getattr(account, name) is not None
        }
        if account.project_id is None:
            given["project_id"] = None
        found[account.name] = settings.model_copy(
            update={**given, "domains": account.domains, "accounts": ()}
        )
    return found


def _sentence(error: ValidationError) -> ConfigError:
    """The first complaint as one sentence; the value is shown unless it is a secret."""
    first = error.errors(include_url=False, include_input=True)[0]
    field = str(first["loc"][0]) if first["loc"] else "settings"
    name = f"{PREFIX}{field.upper()}"
    reason = str(first["msg"]).removeprefix("Value error, ")
    if field == "accounts":
        # What was given may hold a secret: only its place is named.
        place = ".".join(str(part) for part in first["loc"][1:])
        return ConfigError(
            f"[[accounts]] cannot be used: {place or 'accounts'}: {reason}.",
            f"Correct it in {CONFIG_FILE}; docs/settings.md shows one.",
        )
    shown = "" if field in SECRETS else f" is {first['input']!r}"
    return ConfigError(
        f"The setting {field} ({name}){shown}, which cannot be used: {reason}.",
        f"Correct the flag, {name} or the key in {CONFIG_FILE}.",
    )


def _check_limits(settings: Settings) -> None:
    """Durations that would make the plan ask for nothing or go off its grid."""
    for name in ("span", "v2_span"):
        span = getattr(settings, name)
        if span is not None and (span < settings.step or span % settings.step):
            raise ConfigError(
                f"{PREFIX}{name.upper()} is not a multiple of the step of "
                f"{settings.step_minutes} minutes.",
                "Give the longest range a request may have, such as 30d.",
            )
    least = settings.margin + settings.delay + settings.step
    for name, usual in (("retention", V1.retention), ("v2_retention", V2.retention)):
        retention = getattr(settings, name)
        if (usual if retention is None else retention) <= least:
            raise ConfigError(
                f"{PREFIX}{name.upper()} leaves nothing to read after the margin and the delay.",
                "Give how far back the source answers, such as 90d.",
            )


def state_home(environ: Mapping[str, str] | None = None) -> Path:
    """Where this user's programs keep their state, by the XDG rule."""
    given = (os.environ if environ is None else environ).get("XDG_STATE_HOME", "")
    return Path(given) if Path(given).is_absolute() else Path.home() / ".local" / "state"


def cache_home(environ: Mapping[str, str] | None = None) -> Path:
    """Where this user's programs keep what they can make anew, by the XDG rule."""
    given = (os.environ if environ is None else environ).get("XDG_CACHE_HOME", "")
    return Path(given) if Path(given).is_absolute() else Path.home() / ".cache"


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
        "PREFECT_LOGGING_LOGGERS_PREFECT_FLOW_RUNS_LEVEL": "INFO",
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


def of_prefect_server(url: str) -> dict[str, str]:
    """The environment of a Prefect server at that API address; its pages and links lead there."""
    home = url.removesuffix("/api")
    return {**os.environ, "PREFECT_SERVER_UI_API_URL": url, "PREFECT_UI_URL": home}


@contextmanager
def prefect_api(url: str) -> Iterator[None]:
    """Make this the Prefect API of this process and its children, inside the block."""
    before = os.environ.get("PREFECT_API_URL")
    os.environ["PREFECT_API_URL"] = url
    try:
        yield
    finally:
        if before is None:
            del os.environ["PREFECT_API_URL"]
        else:
            os.environ["PREFECT_API_URL"] = before
