#!/bin/bash
# A data set on a machine with GPUs, one worker each: bash gpus.sh FOLDER OUT GPUS
# DEVICE=cpu tries the script where there is none.
set -euo pipefail
data=$1 out=$2 gpus=${3:-1}
export OMP_NUM_THREADS=1
# Workers keep freed memory for their next batch; Dask has it given back, which costs 1.6 times the processor time.
export MALLOC_TRIM_THRESHOLD_=268435456 MALLOC_MMAP_THRESHOLD_=33554432

mkdir -p "$out"
address=$out/scheduler.json
rm -f "$address"
dask scheduler --scheduler-file "$address" --host 127.0.0.1 --port 0 --no-dashboard &
started=($!)
for ((gpu = 0; gpu < gpus; gpu++)); do
    CUDA_VISIBLE_DEVICES=$gpu dask worker --scheduler-file "$address" --nthreads 1 --no-dashboard &
    started+=($!)
done
trap 'kill "${started[@]}"; wait' EXIT
until [ -f "$address" ]; do sleep 1; done

python -m leadwise cohort "$data" --network LBBB --method lrp_epsilon --group sex age_band label \
    --scheduler "$address" --device "${DEVICE:-cuda}" --chunk 64 --rows --out "$out"
