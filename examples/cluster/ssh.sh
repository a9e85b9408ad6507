#!/bin/bash
# A cluster of hosts that ssh reaches, for as long as the command behind them runs there:
#     examples/cluster/ssh.sh "pc1 pc2 pc3" nassearch run --data list:DIR --cluster auto \
#         --workers 12 --set threads=4 --set search.lag=36 --out runs/street
# The head is this machine. Each host has auxnas[torch,ray] of the same versions on the PATH that ssh
# gives; AUXNAS_PORT (6379) and those below are open between them.
set -euo pipefail
hosts=$1
shift
port=${AUXNAS_PORT:-6379}
ports="--node-manager-port 6380 --object-manager-port 6381 --min-worker-port 10002 --max-worker-port 10999"

umask 077
token=$(mktemp)
openssl rand -hex 32 > "$token"
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$token RAY_USAGE_STATS_ENABLED=0
address=$(hostname -I | cut -d ' ' -f 1)

stop() {
    for host in $hosts; do
        ssh "$host" 'ray stop --force; rm -f .auxnas-token' > /dev/null 2>&1 &
    done
    ray stop --force > /dev/null
    rm -f "$token"
    wait
}
trap stop EXIT

# shellcheck disable=SC2086
ray start --head --port "$port" --include-dashboard=false $ports > /dev/null
for host in $hosts; do
    ssh "$host" 'umask 077; cat > .auxnas-token' < "$token"
    ssh "$host" "RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=.auxnas-token RAY_USAGE_STATS_ENABLED=0 \
        ray start --address $address:$port $ports" > /dev/null
done
nassearch cluster check auto || true
"$@"
