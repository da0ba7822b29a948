"""The docs say what the code does."""

import re
from pathlib import Path

from flows.accounts import AccountSettings
from flows.given import PREFIX
from flows.settings import Settings
from livetraffic.instants import parse_duration
from livetraffic.limits import V1, V2

ROOT = Path(__file__).parents[1]


def test_every_setting_is_documented_and_nothing_else():
    """docs/settings.md lists the fields of Settings, with their defaults."""
    rows = re.findall(
        rf"^\| `{PREFIX}(\w+)` \|[^|]*\| (?:`([^`]*)`)?",
        (ROOT / "docs/settings.md").read_text(),
        re.MULTILINE,
    )
    documented = {name.lower(): default for name, default in rows}
    assert documented.keys() == Settings.model_fields.keys() - {"accounts"}
    assert "[[accounts]]" in (ROOT / "docs/settings.md").read_text()
    for name, default in documented.items():
        value = Settings.model_fields[name].default
        if default and name != "account":
            if value is None:
                api = V2 if name.startswith("v2_") else V1
                value = getattr(api, name.removeprefix("v2_"))
            shown = parse_duration(default, name) if default[-1] in "mhd" else default
            assert str(shown).lower() == str(value).lower(), name


def test_every_key_of_an_account_is_documented():
    """The keys of [[accounts]] are in its section."""
    text = (ROOT / "docs/settings.md").read_text().split("## Several accounts")[1]
    credentials = {"token", "security_token"}  # said to be as above
    missing = {name for name in AccountSettings.model_fields if name not in text}
    assert missing <= credentials


def test_the_readme_is_short_and_names_every_command_and_exit_code():
    """At most 150 lines; the tables are whole."""
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    from flows.cli import app

    for command in app.registered_commands:
        assert f"| `{command.callback.__name__}` |" in text
    for code in (0, 1, 2, 3, 4, 5):
        assert f"| {code} |" in text


def test_links_in_the_docs_lead_somewhere():
    """Relative links point at files that exist."""
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_pins_record_no_address():
    """Lock files hold names, versions and hashes, and nothing that names a registry."""
    for lock in ("requirements.lock", "requirements-dev.lock"):
        for line in (ROOT / lock).read_text().splitlines():
            assert re.match(
                r"^(\s+--hash=sha256:[0-9a-f]{64}|[A-Za-z0-9._-]+(\[[a-z,]+\])?==\S+)", line
            )
