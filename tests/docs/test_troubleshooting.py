"""Every sentence that an error can say has its entry in both languages, and no entry is stale."""

import re
from pathlib import Path

import pytest

from docs.error_sentences import ROOT, sentences, tidy
from extract.answers import ROWS

PAGES = ("docs/troubleshooting.md", "docs/troubleshooting.zh-CN.md")
_ENTRY = re.compile(r"^(?:- |  )`([^`]+)`\\$", re.MULTILINE)


def entries(page: str) -> list[str]:
    """The patterns that a page explains, in its order."""
    return [tidy(text) for text in _ENTRY.findall((ROOT / page).read_text())]


@pytest.mark.parametrize("page", PAGES)
def test_every_sentence_has_its_entry(page):
    """A new sentence in the code needs a line here."""
    said = sentences()
    there = entries(page)
    missing = [f"- `{text}.`\\   ({said[text]})" for text in said if text not in there]
    assert not missing, f"{page} needs entries for:\n" + "\n".join(missing)


@pytest.mark.parametrize("page", PAGES)
def test_no_entry_is_stale(page):
    """What no code says any more is taken out; nothing stands twice."""
    found = entries(page)
    stale = [text for text in found if text not in sentences()]
    assert not stale, f"{page}: no code says any more:\n" + "\n".join(stale)
    assert len(found) == len(set(found))


def test_the_sweep_sees_all_kinds_of_places():
    """A call, a conditional, a name, a constant and a template each yield their pattern."""
    found = sentences()
    for text in (
        "The range is empty: --start is not before --end",
        "No credentials are set",
        "This machine's clock is … … the server's, so no age and no retention can be trusted; "
        "nothing of the answer was used",
        "LIVE_TRAFFIC_CONFIG names …, which does not exist",
        "… does not accept the user or its password",
    ):
        assert text in found
    assert len(found) > 120


def test_both_pages_have_the_same_entries_in_the_same_order():
    """A reader can go from one language to the other."""
    first, second = map(entries, PAGES)
    assert first == second


@pytest.mark.parametrize("page", PAGES)
def test_every_code_of_the_source_is_in_the_row_of_its_action(page):
    """Codes with the same action stand together, and those of another action elsewhere."""
    rows = [line for line in (ROOT / page).read_text().splitlines() if "`LIVE.1" in line]
    place = {}
    for row in ROWS:
        if row.code != "APIGW.0201":  # its status decides; the table says so
            holding = [number for number, line in enumerate(rows) if f"`{row.code}`" in line]
            assert len(holding) == 1, row
            place.setdefault(row.action, holding[0])
            assert place[row.action] == holding[0], row
    assert len(set(place.values())) == len(place)


def test_pages_are_files_of_the_docs():
    """The index finds them."""
    assert all(Path(ROOT / page).is_file() for page in PAGES)
