"""`jaxdigits formats`."""

from dataclasses import dataclass

from jaxdigits.cli.report import say


@dataclass(frozen=True)
class Formats:
    """List the formats of fields, and the mistakes that each cannot see.

    A name with a colon takes an argument: `amount:0-999999` is a whole number in that range.

      $ jaxdigits formats
      $ jaxdigits read cheque.png --format amount:0-999999
    """

    json: bool = False
    """Print one JSON object per line instead."""

    def run(self) -> int:
        """Print the table of formats."""
        import json

        from jaxdigits.reader.formats import FORMATS

        width = max(len(kind.example) for kind in FORMATS.values())
        for name, kind in FORMATS.items():
            if self.json:
                row = dict(name=name, example=kind.example, field=kind.text)
                say(json.dumps(row | dict(blind=kind.blind), ensure_ascii=False))
                continue
            say(f"{kind.example:{width}}  {kind.text}")
            say(f"{'':{width}}  does not see: {kind.blind}")
        return 0
