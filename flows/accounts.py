"""Several accounts, projects or regions in one warehouse: the tables ``[[accounts]]`` of the TOML file.

Without any there is one account, made of the settings themselves.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, SecretStr, field_validator, model_validator

from flows.secret_places import SECRETS, kept_in, place_of
from livetraffic.domain import domain_name

CREDENTIALS = ("token", "ak", "sk", "security_token", "username", "password")
PLACES = ("region", "project_id", "endpoint", "iam_endpoint", "api")


class AccountSettings(BaseModel):
    """One table ``[[accounts]]``; what it leaves out of place and API is as in the other settings.

    ``name`` is how the account is called in the warehouse; ``account`` is the IAM account's own name,
    needed with a password. A secret may be given as ``…_file`` or ``…_block``, as in the other settings.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str
    region: str | None = None
    project_id: str | None = None
    endpoint: str | None = None
    iam_endpoint: str | None = None
    api: Literal["auto", "v1", "v2"] | None = None
    domains: tuple[str, ...] = ()
    account: str | None = None
    token: SecretStr | None = None
    ak: SecretStr | None = None
    sk: SecretStr | None = None
    security_token: SecretStr | None = None
    username: str | None = None
    password: SecretStr | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_places(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        found: dict[str, Any] = {}
        for key, value in values.items():
            secret, place = place_of(key, SECRETS)
            if secret and len(values.keys() & {secret, f"{secret}_file", f"{secret}_block"}) > 1:
                msg = f"{secret} is given twice"
                raise ValueError(msg)
            shown = f"{key} in [[accounts]]"
            found[secret or key] = kept_in(place, str(value), shown) if secret else value
        return found

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not value.strip() or len(value) > 64 or not value.isprintable():
            msg = "a name of 1 to 64 printable characters is needed"
            raise ValueError(msg)
        return value.strip()

    @field_validator("domains", mode="before")
    @classmethod
    def _domains(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            return value
        return tuple(dict.fromkeys(domain_name(str(name)) for name in value))
