#!/bin/bash
# A data set on one machine: bash laptop.sh FOLDER OUT [WORKERS]
set -euo pipefail
data=$1 out=$2 workers=${3:-2}

python -m leadwise cohort "$data" --network LBBB --method lrp_epsilon --group sex age_band label \
    --workers "$workers" --rows --out "$out"
