"""Make each peer's virtual environment: one folder and one requirements file per peer.

    python experiments/benchmark/peers/setup.py [PEER ...]

Environments go to `peers/.venv/PEER`, which git ignores.  A peer that cannot be installed
leaves the reason in `peers/.venv/PEER.error`, which the benchmark's results repeat.  torch is
installed first, by itself: the build of some peers imports it.  `newest` is this library, on
Python 3.13 if there is one, with the newest jax that pip takes.
"""

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENTS = HERE / ".venv"
REQUIREMENTS = HERE / "requirements"
ROOT = HERE.parent.parent.parent
NEWEST = "newest"


def peers() -> list[str]:
    """Return the peers, by name."""
    return sorted([NEWEST, *(path.stem for path in REQUIREMENTS.glob("*.txt"))])


def install(peer: str) -> str | None:
    """Make the environment of a peer from scratch; return None, or the reason of a failure.

    Raises:
      ValueError: for an unknown peer, with the list of all peers.
    """
    wanted = REQUIREMENTS / f"{peer}.txt"
    if peer not in peers():
        raise ValueError(f"unknown peer {peer!r}: choose from {', '.join(peers())}")
    folder, note = ENVIRONMENTS / peer, ENVIRONMENTS / f"{peer}.error"
    note.unlink(missing_ok=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet"]
    pip += ["--disable-pip-version-check", "--no-warn-script-location"]
    if peer == NEWEST:
        python, packages = shutil.which("python3.13"), [["-e", str(ROOT)]]
    else:
        lines = wanted.read_text().split()
        first = [line for line in lines if line.startswith("torch==")]
        python, packages = None, [*([first] if first else []), ["-r", str(wanted)]]
    make = [python or sys.executable, "-m", "venv", "--clear", folder]
    for command in (make, *([*pip, *each] for each in packages)):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            reason = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1]
            note.write_text(reason + "\n")
            return reason
    return None


def main() -> None:
    for peer in sys.argv[1:] or peers():
        print(f"{peer} ...", flush=True)
        reason = install(peer)
        print(f"{peer}: {reason or 'installed'}", flush=True)


if __name__ == "__main__":
    main()
