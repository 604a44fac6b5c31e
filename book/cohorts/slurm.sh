#!/bin/bash
#SBATCH --job-name=cohort
#SBATCH --ntasks=32
#SBATCH --cpus-per-task=1
#SBATCH --mem-per-cpu=2G
#SBATCH --time=04:00:00
# A data set on a cluster: sbatch slurm.sh FOLDER OUT. Both lie where every node sees them. A job that ran out of its
# time is submitted again, unchanged: it goes on where it was.
set -euo pipefail
data=$1 out=$2
export OMP_NUM_THREADS=1 # a worker is one thread; there are as many workers as tasks
# Workers keep freed memory for their next batch; Dask has it given back, which costs 1.6 times the processor time.
export MALLOC_TRIM_THRESHOLD_=268435456 MALLOC_MMAP_THRESHOLD_=33554432

mkdir -p "$out"
address=$out/scheduler.json
rm -f "$address"
dask scheduler --scheduler-file "$address" --port 0 --no-dashboard &
scheduler=$!
${LAUNCH-srun} dask worker --scheduler-file "$address" --nthreads 1 --memory-limit 1.5GiB --no-dashboard &
workers=$!
trap 'kill $workers $scheduler; wait' EXIT
until [ -f "$address" ]; do sleep 1; done

python -m leadwise cohort "$data" --network LBBB --method lrp_epsilon --group sex age_band label \
    --scheduler "$address" --rows --out "$out"
