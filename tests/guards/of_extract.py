"""Guards between the source and a validated frame."""

from tests.guards.guard import Guard

GUARDS = (
    Guard(
        "a negative value is a hole",
        "extract/rows.py",
        there="    if value < 0:\n",
        gone="    if False:\n",
        noticed_by=("tests/extract/test_frames.py",),
    ),
)
