"""Write the repository's address everywhere: ``make badges REPO=owner/name``.

pyproject.toml holds it. Badges, links to Binder, Colab and GitHub's pages, the citation and the notebooks' first cells
repeat it, and nothing has to be executed again when it changes.
"""

import argparse
import re
import sys
from pathlib import Path

from notebook_frame import ROOT, repository

# The files that may name the repository.
STAMPED = (
    "*.md",
    "*.toml",
    "*.cff",
    "book/**/*.md",
    "book/**/*.py",
    "book/**/*.html",
    ".github/**/*.yml",
    "notebooks/*.ipynb",
    "notebooks/*/*.ipynb",
    "notebooks/*/solutions/*.ipynb",
)
# GitHub's own rules. https://docs.github.com/en/enterprise-cloud@latest/admin/identity-and-access-management
OWNER = r"[A-Za-z0-9](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){0,38}"
NAME = r"[\w.-]{1,100}"
# What is true only of the placeholder, in the README.
PLACEHOLDER = re.compile(r"\n<!-- placeholder -->\n.*?<!-- /placeholder -->\n", re.DOTALL)


def main(arguments: list[str] | None = None) -> int:
    """Rewrite the address, or print it; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", nargs="?", help="owner/name on GitHub; without it, the present one is printed")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout")
    options = parser.parse_args(arguments)
    old, new = repository(options.root), options.repository
    if not new:
        print(old)
        return 0
    if not re.fullmatch(f"{OWNER}/{NAME}", new):
        print(f"{new!r} is no repository on GitHub; expected owner/name, as in octocat/hello-world.", file=sys.stderr)
        return 2
    for path in sorted({path for pattern in STAMPED for path in options.root.glob(pattern)}):
        before = path.read_text(encoding="utf-8")
        after = renamed(before, old, new)
        if new != old:
            after = PLACEHOLDER.sub("", after)
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(path.relative_to(options.root))
    return 0


def renamed(text: str, old: str, new: str) -> str:
    """Return a text with the addresses of one repository on GitHub, Binder, Colab and GitHub's pages changed."""
    (owner, name), (new_owner, new_name) = old.split("/"), new.split("/")
    text = re.sub(rf"(github\.com/|/gh/|/github/){re.escape(old)}(?![\w-]|\.\w)", rf"\g<1>{new}", text)
    page = rf"https://{re.escape(owner.lower())}\.github\.io/{re.escape(name)}(?![\w-]|\.\w)"
    return re.sub(page, f"https://{new_owner.lower()}.github.io/{new_name}", text)


if __name__ == "__main__":
    sys.exit(main())
