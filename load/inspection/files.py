"""The files of a Parquet warehouse, each looked at as a whole: columns, checksums, statistics."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa

from livetraffic.errors import ConfigError, LiveTrafficError
from livetraffic.ledger import Entry
from livetraffic.table import CALENDAR, DOMAINS, LOAD_LEDGER, TABLES, TRAFFIC, Table
from livetraffic.window import Window
from load import records, warehouse_file
from load.arrow import completed
from load.inspection.finding import Finding, Kind
from load.inspection.parquet_file import is_older, reason_of, whole
from load.inspection.trying import Tryer
from load.months import STAMPS, path_of
from load.parquet import calendar as calendar_file
from load.parquet import journal
from load.parquet.files import Directory
from load.warehouse_file import FORMAT_VERSION, Made

ASIDE = "damaged"
"""Where damaged files are kept, beside the tables' folders and so out of every reader's way."""
_MONTH = re.compile(r"month=\d{4}-(0[1-9]|1[0-2])")
_DATA = "data.parquet"


class Files:
    """``Inspected`` for the warehouse in the directory ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._broken: set[Path] = set()
        self._tryer = Tryer()

    def structure(self) -> Iterator[Finding]:
        """Journals, ``warehouse.json``, every file of every table, files that are not ours."""
        yield from self._leftovers()
        yield from self._facts()
        self._broken.clear()
        with closing(self._tryer):
            for table in TABLES:
                for path in self._files(table):
                    finding = self._looked_at(path, table)
                    if finding is not None:
                        self._broken.add(path)
                        yield finding
        yield from self._strangers()

    def made(self) -> Made | None:
        """As ``Inspected.made``."""
        try:
            return warehouse_file.found(self.root)
        except LiveTrafficError:
            return None

    def entries(self) -> list[Entry]:
        """As ``Inspected.entries``."""
        found: list[Entry] = []
        for path in self._readable(LOAD_LEDGER):
            rows = completed(whole(path), LOAD_LEDGER)
            found += records.from_arrow(LOAD_LEDGER, rows, Entry._make, records.MICROS)
        return found

    def months(self) -> list[str]:
        """As ``Inspected.months``."""
        return [path.parent.name.removeprefix("month=") for path in self._readable(TRAFFIC)]

    def traffic(self, month: str) -> pa.Table:
        """As ``Inspected.traffic``."""
        return whole(self.root / path_of(TRAFFIC.name, month))

    def place(self, month: str) -> str:
        """As ``Inspected.place``."""
        return path_of(TRAFFIC.name, month)

    def calendar(self) -> tuple[Window, pa.Table] | None:
        """As ``Inspected.calendar``."""
        made, path = self.made(), self.root / calendar_file.NAME
        if made is None or path in self._broken:
            return None
        window = calendar_file.held(Directory(self.root), made)
        return None if window is None else (window, whole(path))

    def file_of(self, finding: Finding) -> Path:
        """The file that a finding names."""
        return self.root / finding.place

    def _leftovers(self) -> Iterator[Finding]:
        if not (self.root / journal.JOURNAL).exists():
            for path in journal.temporaries(self.root):
                reason = "a temporary of a commit that was killed before it was published"
                yield Finding(Kind.LEFTOVER, path.name, reason)
            return
        try:
            journal.check(self.root)
        except LiveTrafficError as error:
            yield Finding(Kind.DAMAGED, journal.JOURNAL, reason_of(error))
        else:
            reason = "a commit was published and killed before its files were in their places"
            yield Finding(Kind.LEFTOVER, journal.JOURNAL, reason)

    def _facts(self) -> Iterator[Finding]:
        name = warehouse_file.NAME
        try:
            made = warehouse_file.found(self.root)
        except ConfigError as error:
            yield Finding(Kind.NEWER, name, reason_of(error))
            return
        except LiveTrafficError as error:
            yield Finding(Kind.DAMAGED, name, reason_of(error))
            return
        if made is None:
            yield Finding(Kind.DAMAGED, name, "it is missing")
        elif made.version < FORMAT_VERSION:
            reason = f"the warehouse has format version {made.version}, not {FORMAT_VERSION}"
            yield Finding(Kind.HALF_MOVED, name, reason)

    def _files(self, table: Table) -> list[Path]:
        if table not in STAMPS:
            path = self.root / f"{table.name}.parquet"
            return [path] if path.exists() and table in {DOMAINS, CALENDAR} else []
        folder = self.root / table.name
        return sorted(
            path / _DATA
            for path in (folder.iterdir() if folder.is_dir() else ())
            if _MONTH.fullmatch(path.name) and (path / _DATA).exists()
        )

    def _readable(self, table: Table) -> list[Path]:
        return [path for path in self._files(table) if path not in self._broken]

    def _looked_at(self, path: Path, table: Table) -> Finding | None:
        place = str(path.relative_to(self.root))
        fault = self._tryer.fault(path, table)
        if fault is not None:
            return Finding(Kind.DAMAGED, place, fault)
        made = self.made()
        if made is not None and made.version == FORMAT_VERSION and is_older(path, table):
            return Finding(Kind.DAMAGED, place, "it lacks columns that this format version has")
        return None

    def _strangers(self) -> Iterator[Finding]:
        """Files and folders inside the tables' folders that a reader's pattern would take."""
        for table in STAMPS:
            folder = self.root / table.name
            ours = set(self._files(table))
            for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
                if path.is_file() and path not in ours and path.suffix == ".parquet":
                    place = str(path.relative_to(self.root))
                    yield Finding(Kind.FOREIGN, place, "live-traffic did not put it there")
