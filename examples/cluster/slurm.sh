#!/bin/bash
# A search on the nodes of a SLURM job; the first one is the head and runs the command.
#     sbatch examples/cluster/slurm.sh list:/data/streets runs/street
# The same command again goes on with the run. Port and temporary folder are the job's own, so that
# jobs of several users may share nodes.
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --time=12:00:00
set -euo pipefail
data=$1 out=$2 threads=4
workers=$((SLURM_JOB_NUM_NODES * SLURM_CPUS_PER_TASK / threads))

umask 077
token=$HOME/.auxnas-token-$SLURM_JOB_ID
openssl rand -hex 32 > "$token"
trap 'rm -f "$token"' EXIT
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$token RAY_USAGE_STATS_ENABLED=0
export AUXNAS_CACHE=${TMPDIR:-/tmp}/auxnas-$USER

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
port=$((10000 + SLURM_JOB_ID % 20000))
srun --kill-on-bad-exit=1 ray symmetric-run \
    --address "$head:$port" --min-nodes "$SLURM_JOB_NUM_NODES" --num-cpus "$SLURM_CPUS_PER_TASK" \
    --temp-dir "/tmp/ray-$SLURM_JOB_ID" --include-dashboard=false -- \
    nassearch run --data "$data" --cluster "$head:$port" --workers "$workers" \
        --set threads=$threads --set search.lag=$((3 * workers)) --out "$out"
