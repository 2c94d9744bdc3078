"""Make each peer's virtual environment: one folder and one requirements file per peer.

    python experiments/benchmark/peers/setup.py [PEER ...]

Environments go to `peers/.venv/PEER`, which git ignores.  A peer that cannot be installed
leaves the reason in `peers/.venv/PEER.error`, which the benchmark's results repeat.  torch is
installed first, by itself: the build of some peers imports it.
"""

import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENTS = HERE / ".venv"
REQUIREMENTS = HERE / "requirements"


def peers() -> list[str]:
    """Return the peers, by name."""
    return sorted(path.stem for path in REQUIREMENTS.glob("*.txt"))


def install(peer: str) -> str | None:
    """Make the environment of a peer from scratch; return None, or the reason of a failure.

    Raises:
      ValueError: for an unknown peer, with the list of all peers.
    """
    wanted = REQUIREMENTS / f"{peer}.txt"
    if not wanted.exists():
        raise ValueError(f"unknown peer {peer!r}: choose from {', '.join(peers())}")
    folder, note = ENVIRONMENTS / peer, ENVIRONMENTS / f"{peer}.error"
    note.unlink(missing_ok=True)
    venv.create(folder, clear=True, with_pip=True)
    first = [line for line in wanted.read_text().split() if line.startswith("torch==")]
    for packages in ([first] if first else []) + [["-r", str(wanted)]]:
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet"]
        pip += ["--disable-pip-version-check", "--no-warn-script-location"]
        done = subprocess.run([*pip, *packages], capture_output=True, text=True)
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
