"""Holds dashboards against Grafana's own schema, as the package grafana-foundation-sdk knows it.

For each file: every field must be one that Grafana knows (what the package reads and does not write back, it does not know),
and of the type or among the words that the schema gives. Prints each fault; exit code 1 when there is one.
"""

import enum
import json
import sys
import typing

from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard


def main(paths):
    plugins.register_default_plugins()
    faults = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            original = json.load(file)
        dashboard = Dashboard.from_json(json.loads(json.dumps(original)))
        known = json.loads(json.dumps(dashboard, cls=JSONEncoder))
        found = [*unknown(original, known, "dashboard"), *mistyped(dashboard, "dashboard")]
        faults += [f"{path}: {fault}" for fault in found]
    print("\n".join(faults) or f"{len(paths)} dashboards are what Grafana expects")
    return 1 if faults else 0


def unknown(original, known, where):
    """What the package did not write back as it was."""
    if isinstance(original, dict) and isinstance(known, dict):
        for key, value in original.items():
            if key in known:
                yield from unknown(value, known[key], f"{where}.{key}")
            elif value is not None:
                yield f"{where}.{key}: Grafana knows no such field"
    elif isinstance(original, list) and isinstance(known, list) and len(original) == len(known):
        for index, (one, other) in enumerate(zip(original, known)):
            yield from unknown(one, other, f"{where}[{index}]")
    elif original != known:
        yield f"{where}: {original!r} is read as {known!r}"


def mistyped(value, where):
    """Attributes of the package's objects that are not of their declared type."""
    if isinstance(value, (list, dict)):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in pairs:
            yield from mistyped(item, f"{where}[{key}]")
    elif hasattr(value, "to_json") and not isinstance(value, type):
        module = vars(sys.modules[type(value).__module__])
        hints = typing.get_type_hints(type(value), module)
        for name, attribute in vars(value).items():
            if name in hints and not fits(attribute, hints[name]):
                yield f"{where}.{name}: {attribute!r} is not {hints[name]}"
            yield from mistyped(attribute, f"{where}.{name}")


def fits(value, hint):
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Union:
        return any(fits(value, argument) for argument in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin in (list, dict):
        items = value.values() if isinstance(value, dict) else value
        return isinstance(value, origin) and all(fits(item, arguments[-1]) for item in items)
    if not isinstance(hint, type) or hint is object:
        return True
    if issubclass(hint, enum.Enum):
        return value in [member.value for member in hint]
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint in (str, bool, type(None)):
        return isinstance(value, hint)
    # Interfaces (a query, say) are checked by what they hold.
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
