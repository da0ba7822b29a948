"""The plotting library that is put into the page: Vega, from the wheel ``vl-convert-python``."""

import os
import re
import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path

from flows.settings import cache_home


@cache
def vega() -> str:
    """Vega's JavaScript, which defines ``window.vegaEmbed``.

    The wheel puts it together anew each time, which takes seconds; so it is kept in the user's cache.
    """
    kept = cache_home() / "live-traffic" / f"vega-{version('vl-convert-python')}.js"
    try:
        text = kept.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        text = ""
    return text if text.endswith(_END) else _kept(_made(), kept)


_END = "\n/* whole */"
_CLOSING = re.compile("</(script)", re.IGNORECASE)


def _made() -> str:
    import vl_convert

    # A closing tag in one of its strings would end the element; there the backslash says nothing.
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return _CLOSING.sub(r"<\\/\1", bundle) + _END


def _kept(text: str, path: Path) -> str:
    """The text, written for the next time where that is possible."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except OSError:
        pass
    return text
