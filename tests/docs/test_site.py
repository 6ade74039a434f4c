"""The site is built strictly, and asks nothing of the network."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from ounce_edge.front.settings import HttpSettings

from tests.docs.pages import DOCS, ROOT


def test_a_page_loads_nothing_from_elsewhere_and_a_broken_link_fails(tmp_path: Path) -> None:
    """The broken link is the only thing wrong; all pages are written nevertheless."""
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    shutil.copytree(DOCS, tmp_path / "docs")
    with (tmp_path / "docs" / "delivery.md").open("a", encoding="utf-8") as page:
        page.write("\n[nowhere](security.md#nowhere)\n")
    result = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"],
        cwd=tmp_path,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 1
    assert "does not contain an anchor '#nowhere'" in result.stderr
    assert "Aborted with 1 warnings in strict mode" in result.stdout
    pages = [*(tmp_path / "site").rglob("*.html")]
    assert len(pages) > 15
    for written in pages:
        html = written.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe)[^>]* src=\"([^\"]+)\"", html)
        loaded += re.findall(r"<link[^>]* href=\"([^\"]+)\"", html)
        assert [url for url in loaded if "//" in url] == [], written


def test_pages_are_served_where_alerts_look_for_them_and_not_where_a_front_listens() -> None:
    (address,) = re.findall(r"^dev_addr: 127\.0\.0\.1:(\d+)", _text(ROOT / "mkdocs.yml"), re.M)
    ours = ROOT / "services" / "ounce_services" / "monitoring" / "objectives.yaml"
    assert f"runbooks: http://localhost:{address}/runbooks.html" in _text(ours)
    assert HttpSettings.model_fields["port"].default != int(address)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
