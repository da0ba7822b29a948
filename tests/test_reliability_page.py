"""The page of what was tried and lost is what the writer makes of the figures that it shows."""

from pathlib import Path

from tests.figures import SECTIONS, Figure, Figures, kept
from tests.reliability import PAGE, Facts, facts_of, figures_of, written

FACTS = Facts("long", "2026-11-25T20:00Z", "Python 3.11.1 on 2 cores")
FIGURES = [
    Figure("kill points", "first load", "parquet", 1_200, 0),
    Figure("kill points", "first load", "mariadb", 30, 1),
    Figure("kill points", "first load", "mariadb", 4, 0),
    Figure("kill points", "copy", "sqlite", 7, 0),
    Figure("bad bodies", "truncated answers", "", 10_000, 0),
    Figure("writers", "failed: test_x", "", 0, 1),
]


def test_the_committed_page_comes_from_the_writer() -> None:
    page = PAGE.read_text()
    assert written(figures_of(page), facts_of(page)) == page


def test_a_page_shows_every_figure_and_can_be_read_back() -> None:
    page = written(FIGURES, FACTS)
    assert "| first load | 1,200 |  | 34 | 1 |" in page
    assert "| copy |  | 7 |  | 0 |" in page
    assert "10,000 bodies | 0 |" in page
    assert facts_of(page) == FACTS
    found = figures_of(page)
    assert sum(figure.count for figure in found) == sum(figure.count for figure in FIGURES)
    assert sum(figure.losses for figure in found) == 2
    assert written(found, FACTS) == page


def test_a_changed_figure_shows(tmp_path: Path) -> None:
    page = written(FIGURES, FACTS).replace("34 | 1 |", "35 | 1 |")
    assert written(figures_of(page), FACTS) != page


def test_processes_keep_their_figures_beside_each_other(monkeypatch, tmp_path: Path) -> None:
    for worker, section in zip(("gw0", "gw1"), SECTIONS, strict=False):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        Figures(str(tmp_path))(section.name, "a kind", 3, sink="parquet")
    found = list(kept(tmp_path))
    assert [figure.section for figure in found] == [s.name for s in SECTIONS[:2]]
    assert {figure.count for figure in found} == {3}
