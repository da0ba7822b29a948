"""Where a secret can be kept: in a file (``…_FILE``), in a Secret block of Prefect (``…_BLOCK``).

A file is read with the settings. A block is read when its secret is needed, so that a command which
needs none asks no server.
"""

from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr

from livetraffic.errors import ConfigError, LiveTrafficError

SECRETS = ("token", "ak", "sk", "security_token", "password")
PLACES = ("file", "block")


def place_of(key: str, secrets: tuple[str, ...]) -> tuple[str, str]:
    """The secret that a key is about, and where it is: ``("sk", "file")``; ``("", "")`` for others."""
    secret, _, place = key.rpartition("_")
    return (secret, place) if place in PLACES and secret in secrets else ("", "")


def kept_in(place: str, value: str, shown: str) -> "str | BlockSecret":
    """The secret, from the file or the block that ``value`` names.

    Args:
        place: ``file`` or ``block``.
        value: the path or the block's name.
        shown: the setting that gives it, for errors.

    Raises:
        ConfigError: the file cannot be read.
    """
    return BlockSecret(value, shown) if place == "block" else _in_file(value, shown)


def _in_file(path: str, shown: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ConfigError(
            f"{shown} names {path}, which cannot be read: {reason}.",
            "Give a readable file that holds only the secret.",
        ) from error


class BlockSecret(SecretStr):
    """A secret of which only the block's name is known until its value is asked for.

    Args:
        block: the name of the Secret block in Prefect.
        shown: the setting that names it, for errors.
    """

    def __init__(self, block: str, shown: str) -> None:
        super().__init__(block)
        self._shown = shown
        self._found: str | None = None

    def get_secret_value(self) -> str:
        """What the block holds; asked for once.

        Raises:
            ConfigError: no API is configured, there is no such block, or it holds no text.
            LiveTrafficError: the API could not be used.
        """
        if self._found is None:
            self._found = _in_block(super().get_secret_value(), self._shown)
        return self._found


def _in_block(block: str, shown: str) -> str:
    import httpx
    from prefect.blocks.system import Secret
    from prefect.context import FlowRunContext
    from prefect.exceptions import PrefectException
    from prefect.settings import PREFECT_API_URL

    if not PREFECT_API_URL.value() and FlowRunContext.get() is None:
        raise ConfigError(
            f"{shown} names a Secret block, but no Prefect API is configured.",
            "Set PREFECT_API_URL, or give the secret itself or a file of it.",
        )
    try:
        value = cast("Secret[Any]", Secret.load(block, validate=False)).get()
    except (PrefectException, httpx.HTTPError, RuntimeError) as error:
        raise LiveTrafficError(
            f"{shown} names a Secret block, and Prefect's API could not be used: {_kind(error)}.",
            "Check PREFECT_API_URL, PREFECT_API_KEY and that the server runs.",
        ) from None
    except ValueError:  # what it says may hold the value
        raise ConfigError(
            f"{shown} names {block!r}, which is no Secret block in Prefect.",
            "Make it there (Blocks, Secret), or correct the name.",
        ) from None
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(
            f"{shown} names the Secret block {block!r}, which holds no text.",
            "Put the secret itself into it, as text.",
        )
    return value.strip()


def _kind(error: Exception) -> str:
    response = getattr(error, "response", None)
    return type(error).__name__ if response is None else f"status {response.status_code}"
