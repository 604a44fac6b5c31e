"""Install the course as the README says it, without make, and run notebook 00 there: ``make route ROUTE=pip``.

    python tools/route.py pip|uv|conda|Windows

The commands are those of the README's block, to the letter; only the last one, which opens JupyterLab, executes the
notebook instead. They make .venv, or conda's environment leadwise, so this is for a checkout without one.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OPENS, EXECUTES = r"\bjupyter lab (?=notebooks)", "jupyter execute "
# How a shell runs a script from its standard input, and stops where a command fails.
SHELLS = {"sh": ["bash", "-ex"], "powershell": ["pwsh", "-NoProfile", "-Command", "-"]}
BEFORE = {
    "uv": "command -v uv || python -m pip install -q uv\n",
    "conda": 'eval "$("${CONDA:-$(conda info --base)}"/bin/conda shell.bash hook)"\n',
}
EACH = {"powershell": "if ($LASTEXITCODE) { exit $LASTEXITCODE }\n"}


def main(arguments: list[str]) -> int:
    """Run one route; return the exit status."""
    found = routes()
    if len(arguments) != 1 or arguments[0] not in found:
        print(f"Name one of {', '.join(found)}.", file=sys.stderr)
        return 2
    shell, script = found[arguments[0]]
    return subprocess.run(SHELLS[shell], input=script, text=True, cwd=ROOT).returncode


def routes() -> dict[str, tuple[str, str]]:
    """Return name -> shell and script, for each block of the README that a line with a bold name announces."""
    text = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(
        r"^\*\*(\w+)\*\*[^`\n]*(?:`[^`\n]+`[^`\n]*)*:\n\n```(sh|powershell)\n(.*?)```", text, re.M | re.S
    )
    found = {}
    for name, shell, block in blocks:
        lines = re.sub(OPENS, EXECUTES, block).splitlines(keepends=True)
        found[name] = shell, BEFORE.get(name, "") + "".join(line + EACH.get(shell, "") for line in lines)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
