"""torch on three hosts without a shared disk, one of which is killed: the run of one process?

python bench/cluster/disks.py --output cluster-torch.json          # as root, with iproute2
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from hosts import CACHE, NET, PORT, lab
from runs import rows

from auxnas.compiler.files import atomic_write
from auxnas.search.executors.attempts import AttemptTable
from auxnas.search.storage.environment import package_versions

TINY = (
    "--data synthetic:16 --preset demo --size 32x32 --trials 10 --searcher random --batch 4"
    " --set threads=1 --set model.width=0.1 --set model.agg_size=8 --set stage1.epochs=1"
    " --set pretrain.epochs=1 --set latency.measure=false --set search.lag=8"
)


def nassearch(out: Path, *more: str) -> subprocess.Popen[bytes]:
    """``nassearch run`` with torch."""
    start = "from auxnas.nassearch.cli import main; main()"
    words = (sys.executable, "-c", start, "run", *TINY.split(), "--out", str(out), *more)
    log = out.with_suffix(".log").open("ab")
    return subprocess.Popen(words, stdout=log, stderr=log)


@click.command(help="torch on three hosts without a shared disk, one of which is killed.")
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(output: Path) -> None:
    shutil.rmtree(CACHE, ignore_errors=True)
    CACHE.mkdir(mode=0o700)
    with TemporaryDirectory() as name, lab(Path(name)) as made:
        for host in made.hosts:
            host.start()
        here, there = Path(name) / "here", Path(name) / "there"
        nassearch(here).wait()
        driver = nassearch(there, "--cluster", f"{NET}.1:{PORT}", "--workers", "3")
        while driver.poll() is None and len([*AttemptTable(there).rows()]) < 3:
            time.sleep(0.1)
        stores = [host.stores() for host in made.hosts]
        made.hosts[0].signal(signal.SIGKILL)
        status = driver.wait(600)
        found = [*AttemptTable(there).rows()]
        weights = [[p.read_bytes() for p in sorted(f.glob("weights/*"))] for f in (here, there)]
        value = {
            "versions": package_versions(),
            "status": status,
            "identical": rows(here) == rows(there),
            "weights_identical": weights[0] == weights[1],
            "stores_of_each_host": stores,
            "attempts": [[row.trial, row.host, row.how] for row in found],
            "log": there.with_suffix(".log").read_text()[-400:] if status else "",
        }
    shutil.rmtree(CACHE)
    click.echo(json.dumps(value))
    with atomic_write(output) as path:
        path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
