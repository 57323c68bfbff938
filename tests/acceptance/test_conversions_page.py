"""The commands of docs/conversions.md are run, as a reader would, in a copy of the quickstart."""

import shutil
from pathlib import Path

from tests.acceptance.test_readmes import ROOT, blocks, run


def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    folder = tmp_path / "quickstart"
    shutil.copytree(ROOT / "examples" / "quickstart", folder)
    said = run("\n".join(blocks((ROOT / "docs" / "conversions.md").read_text())), folder)
    for expected in ("<EANCOM>", '<order number="4711"', "convert: new/order-out.xsl", "<GROUP_4>"):
        assert expected in said
