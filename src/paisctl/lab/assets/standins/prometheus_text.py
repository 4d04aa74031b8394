"""The Prometheus text exposition format (prometheus.io, "Exposition formats")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[Mapping[str, object], float]


def metric_family(name: str, kind: str, description: str, samples: Iterable[Sample]) -> str:
    """One metric with its HELP and TYPE lines; empty when there are no samples."""
    lines = [f"{name}{_labels(labels)} {_number(value)}" for labels, value in samples]
    return _block(name, kind, description, lines)


def histogram_family(
    name: str,
    description: str,
    samples: Iterable[tuple[Mapping[str, object], list[tuple[float, int]], float, int]],
) -> str:
    """A histogram; each sample is labels, cumulative (upper bound, count) pairs, sum and count."""
    lines: list[str] = []
    for labels, buckets, total, count in samples:
        for bound, cumulative in [*buckets, (float("inf"), count)]:
            upper = "+Inf" if bound == float("inf") else _number(bound)
            lines.append(f"{name}_bucket{_labels({**labels, 'le': upper})} {cumulative}")
        lines.append(f"{name}_sum{_labels(labels)} {_number(total)}")
        lines.append(f"{name}_count{_labels(labels)} {count}")
    return _block(name, "histogram", description, lines)


def _block(name: str, kind: str, description: str, lines: list[str]) -> str:
    if not lines:
        return ""
    return "\n".join([f"# HELP {name} {description}", f"# TYPE {name} {kind}", *lines, ""])


def _labels(labels: Mapping[str, object]) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_escape(str(value))}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
