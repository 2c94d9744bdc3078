"""A search on a cluster of Ray: an adapter for people who have one.

    pip install ray
    python experiments/search_on_ray.py SHARED --hosts 3 -- mlp --data digits --minutes 10

starts a task of Ray for each host, on whichever machine has room.  A task runs one host of
`jaxdigits search --host K/N`, and all write to the folder SHARED, which each machine sees by
that name.  The search itself needs neither Ray nor a server.  If the first host dies,
`jaxdigits search --resume SHARED` ends the search.  Without --address Ray makes a cluster of
this machine alone.
"""

import argparse
import subprocess
import sys
from pathlib import Path

PROGRAM = "from jaxdigits.cli import main; main()"


def run_host(command: list[str]) -> tuple[int, str]:
    """Run one host; return its exit code, and its last lines."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, "\n".join(done.stdout.splitlines()[-8:])


def main() -> None:
    """Start all hosts, wait for them, and print the end of the first."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("--hosts", type=int, default=2)
    parser.add_argument("--cpus", type=float, default=1, help="processors of a host")
    parser.add_argument("--address", default=None, help="of a cluster, as auto")
    parser.add_argument("--python", default=sys.executable, help="that has jaxdigits")
    parser.add_argument("search", nargs="+", help="behind --, the options of the search")
    args = parser.parse_args()
    try:
        import ray  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise SystemExit("this adapter needs Ray: pip install ray") from error
    ray.init(address=args.address, num_cpus=None if args.address else args.hosts)
    task = ray.remote(num_cpus=args.cpus, max_retries=0)(run_host)
    base = [args.python, "-c", PROGRAM, "search", *args.search]
    shared = str(args.shared.resolve())
    hosts = range(1, args.hosts + 1)
    running = [
        task.remote([*base, "--out", shared, "--host", f"{k}/{args.hosts}"]) for k in hosts
    ]
    for number, reference in zip(hosts, running, strict=True):
        try:
            code, text = ray.get(reference)
        except ray.exceptions.RayError as error:  # its machine is gone: its trials are not
            code, text = 1, str(error)
        print(f"host {number}: exit {code}\n{text}", flush=True)
    ray.shutdown()


if __name__ == "__main__":
    main()
