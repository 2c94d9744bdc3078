"""`jaxdigits page`."""

import gc
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from jaxdigits.cli.report import say
from jaxdigits.errors import require_run


@dataclass(frozen=True)
class Page:
    """Open a page in the browser: draw digits, read fields, practise sums.

    Everything stays on this machine. The page is also an interface for programs: POST /predict,
    POST /read, GET /formats, and /openapi.json describes it.

      $ jaxdigits page
      $ jaxdigits page --run runs/mlp runs/snn
      $ jaxdigits page --host 0.0.0.0 --port 9000

    The networks of the package read, and beside them those of the runs. A spiking network shows
    its spikes. With a --host beyond this machine, each request needs the token in the printed
    address. Ctrl-C or SIGTERM ends the page once all requests are answered. It needs the extra
    `page`.
    """

    run_: Annotated[tuple[Path, ...], "RUN"] = ()
    """Folders of runs that read beside the networks of the package."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 is every address of this machine."""
    port: int = 8000
    """Port to listen on; 0 takes a free one."""

    def run(self) -> int:
        """Load the networks, and answer requests until a signal."""
        from jaxdigits.cli import predict, read
        from jaxdigits.page import listen, outward, require_extra, serve

        require_extra()
        for folder in self.run_:
            require_run(folder)
        listening = listen(self.host, self.port)
        from jaxdigits.page.app import make_app
        from jaxdigits.page.guard import LOOPBACK, Rules
        from jaxdigits.page.networks import load_networks

        rules = Rules()
        if self.host not in LOOPBACK:
            from secrets import token_urlsafe

            rules = Rules(hosts=(), token=token_urlsafe(24))
        with listening:
            networks = load_networks(predict.BOX, read.BOX, self.run_)
            gc.freeze()  # or each full collection walks all of JAX: 0.2 s in which all wait
            host = outward(self.host)
            host = f"[{host}]" if ":" in host else host
            address = f"http://{host}:{listening.getsockname()[1]}/"
            token = f"?token={rules.token}" if rules.token else ""
            serve(
                make_app(networks, rules),
                listening,
                lambda: say(f"open {address}{token}\npress Ctrl-C to stop"),
            )
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the threads end now
        say("stopped")
        return 0
