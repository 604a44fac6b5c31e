#!/bin/sh
# Fetch the four published ECG models into this folder. Options go through: --mirror DIR, --offline, --help ...
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit
python=$root/.venv/bin/python
[ -x "$python" ] || python=python3
PYTHONPATH=$root/src${PYTHONPATH:+:$PYTHONPATH} exec "$python" -m leadwise download ecg-models "$@"
