"""``live-traffic copy`` as people and programs meet it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli import main
from flows.warehouse import shown, sink_at
from livetraffic.table import TRAFFIC
from tests.contract.stores import STORES, read_parquet_files, trace_of_files
from tests.load.transfer.moving import TRAFFIC_ROWS, comparable, fill

TABLES = (
    *("traffic", "traffic_revisions", "reconciliations", "load_ledger", "domains", "calendar"),
)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    fill(STORES["parquet"].make(tmp_path / "old"))
    return tmp_path / "old"


def called(capsys, *arguments: object) -> tuple[int, str, str]:
    code = main(["copy", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_people_are_told_month_by_month(capsys, old, tmp_path):
    trace = trace_of_files(old)
    code, out, err = called(capsys, old, tmp_path / "new")
    assert code == 0
    assert "traffic 1/3  2026-01  60 rows" in err
    assert "counts and sums of every month agree" in out
    assert comparable(read_parquet_files(tmp_path / "new")) == comparable(read_parquet_files(old))
    assert trace_of_files(old) == trace


def test_programs_get_one_document(capsys, old, tmp_path):
    code, out, err = called(capsys, old, tmp_path / "new", "--json")
    document = json.loads(out)
    assert code == 0
    assert tuple(document["tables"]) == TABLES
    assert document["tables"]["traffic"] == {
        "rows": TRAFFIC_ROWS, "months": 3, "copied_months": 3,
    }  # fmt: skip
    assert document["verified"] is True
    assert document["differences"] == []
    assert document["target"] == str(tmp_path / "new")
    assert "2026-01" in err
    again = json.loads(called(capsys, old, tmp_path / "new", "--json")[1])
    assert again["tables"]["traffic"]["copied_months"] == 0


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_files_of_databases_are_named_by_url(capsys, old, tmp_path, kind):
    there, back = f"{kind}:///{tmp_path}/new.db", tmp_path / "back"
    assert called(capsys, old, there)[0] == 0
    assert called(capsys, there, back)[0] == 0
    assert comparable(read_parquet_files(back)) == comparable(read_parquet_files(old))


def test_what_cannot_be_copied_is_one_sentence_and_exit_2(capsys, old, tmp_path):
    for arguments, words in (
        ((tmp_path / "nowhere", tmp_path / "new"), "There is no warehouse in"),
        ((old, f"{old}/."), "the same warehouse"),
        ((old, "ftp://host/x"), "ftp:// URL"),
        ((old, "duckdb:///:memory:"), "no DuckDB file"),
        ((old, tmp_path / "new", "--lock-wait", "soon"), "--lock-wait"),
    ):
        code, out, err = called(capsys, *arguments)
        assert code == 2
        assert words in err
        assert out == ""
    assert not (tmp_path / "nowhere").exists()


def test_a_target_of_something_else_is_exit_2(capsys, old, tmp_path):
    sink = STORES["parquet"].make(tmp_path / "new")
    sink.prepare(step=300, timezone="UTC", settle_after=1)
    before = trace_of_files(tmp_path / "new")
    code, out, _ = called(capsys, old, tmp_path / "new", "--json")
    assert code == 2
    assert json.loads(out)["error"]["code"] == "warehouse_mismatch"
    assert trace_of_files(tmp_path / "new") == before


def test_a_target_that_does_not_agree_is_exit_3_and_named(capsys, old, tmp_path, monkeypatch):
    from load.parquet.sink import ParquetSink

    real = ParquetSink.replace_month

    def losing(self, table, month, batches):
        lossy = (batch.slice(1) for batch in batches) if table is TRAFFIC else batches
        real(self, table, month, lossy if month == "2026-02" else batches)

    monkeypatch.setattr(ParquetSink, "replace_month", losing)
    code, out, _ = called(capsys, old, tmp_path / "new", "--json")
    document = json.loads(out)
    assert code == 3
    assert document["verified"] is False
    (difference,) = document["differences"]
    assert (difference["table"], difference["month"]) == ("traffic", "2026-02")
    assert difference["source"]["rows"] == difference["target"]["rows"] + 1
    code, _, err = called(capsys, old, tmp_path / "new")
    assert code == 2, "and it is not taken for a part of the copy"
    assert "2026-02" in err


@pytest.mark.parametrize("held", ["old", "new"])
def test_a_run_that_is_at_work_is_waited_for_and_named(capsys, old, tmp_path, held):
    with STORES["parquet"].make(tmp_path / held).run_lock(wait=0, holder="the nightly run"):
        code, _, err = called(capsys, old, tmp_path / "new", "--lock-wait", "0m")
    assert code == 1
    assert "the nightly run" in err
    assert not (tmp_path / "new" / "warehouse.json").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=str)
def test_a_copy_that_is_told_to_stop_keeps_its_months(old, tmp_path, number, code):
    """Its source is slow, so that the signal comes between two months."""
    program = (
        "import sys, time; from load.parquet.sink import ParquetSink; from flows.cli import main;"
        "real = ParquetSink.read_month;"
        "ParquetSink.read_month = lambda self, t, m: (time.sleep(0.3) or b for b in real(self, t, m));"
        "sys.exit(main(sys.argv[1:]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, "copy", str(old), str(tmp_path / "new")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as child:  # fmt: skip
        assert child.stderr is not None
        for line in child.stderr:
            if "traffic 1/3" in line:
                break
        child.send_signal(number)
        rest = child.stderr.read()
        assert child.wait(30) == code
    assert "the months that were copied are kept" in rest
    assert "2026-01" in sink_at(str(tmp_path / "new")).months(TRAFFIC)
    assert main(["copy", str(old), str(tmp_path / "new")]) == 0
    assert comparable(read_parquet_files(tmp_path / "new")) == comparable(read_parquet_files(old))


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("./warehouse", "./warehouse"),
        ("sqlite:///w.db", "sqlite:///w.db"),
        ("postgresql://u:s%40cret@h:5/d?password=s3cret&schema=a", "postgresql://u@h:5/d?schema=a"),
        ("mysql://:s3cret@h/d", "mysql://@h/d"),
        ("mysql://u:s3cret@@h/d", "mysql://u@h/d"),
    ],
)
def test_what_is_shown_holds_no_password(location, told):
    assert shown(location) == told


def test_no_password_is_shown_whatever_goes_wrong(capsys, old):
    for url in (
        "postgresql://u:s3cret@127.0.0.1:1/d",
        "mysql://u:s3cret@127.0.0.1:1/d",
        "mysql://u:s3cret@@127.0.0.1:1/d",
        "postgresql://u:s3cret@127.0.0.1:1",
    ):
        for pair in ((old, url), (url, old)):
            code, out, err = called(capsys, *pair, "--json")
            assert code in {1, 2}
            assert "s3cret" not in out + err


def test_a_copy_between_files_starts_without_prefect_and_duckdb(old, tmp_path):
    program = (
        "import sys; from flows.cli import main; code = main(sys.argv[1:]);"
        "sys.exit(code or ','.join({'prefect', 'duckdb', 'sqlalchemy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "copy", str(old), str(tmp_path / "new")],
        capture_output=True, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
