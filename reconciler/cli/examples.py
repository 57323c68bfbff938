"""Where the examples are that commands copy."""

from pathlib import Path

import reconciler
from reconciler.errors import NotFoundError


def example(name: str) -> Path:
    """Return the folder of an example: inside an installed package, or beside the package in a checkout.

    Raises NotFoundError when this installation has none of that name.
    """
    package = Path(reconciler.__file__).parent
    for folder in (package / "_examples" / name, package.parent / "examples" / name):
        if folder.is_dir():
            return folder
    raise NotFoundError(f"The example {name} is not part of this installation. Install the package again.")
