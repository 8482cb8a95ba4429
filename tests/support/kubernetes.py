"""What a Kubernetes API server would say of a resource, strictly: an unknown field is an error.

Kubernetes' own kinds by its schemas; those of the Prometheus operator by what is written here after its CRDs
(prometheus-operator, bundle of v0.82.2): the fields that the chart uses, closed.
"""

from typing import Any

import jsonschema
import kubernetes_validate

VERSIONS = ("1.25", "1.29", "1.31", "1.34")
"""The first that the chart admits, the first with native sidecars, the one that is asked for, and a later one."""
NATIVE = "1.29"

_DURATION = r"^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$"
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


def _closed(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}


def _resource(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = _closed(("name",), name={"type": "string"}, labels=_TEXTS)
    version = {"const": "monitoring.coreos.com/v1"}
    return _closed(
        ("apiVersion", "kind", "metadata", "spec"),
        apiVersion=version,
        kind={"const": kind},
        metadata=metadata,
        spec=spec,
    )


_ENDPOINT = _closed(
    (), port={"type": "string"}, path={"type": "string"}, interval={"type": "string", "pattern": _DURATION}
)
_RULE = _closed(
    ("expr",),
    alert={"type": "string"},
    record={"type": "string"},
    expr={"type": "string"},
    labels=_TEXTS,
    annotations=_TEXTS,
    **{"for": {"type": "string", "pattern": _DURATION}},
)
_GROUP = _closed(("name",), name={"type": "string", "minLength": 1}, rules={"type": "array", "items": _RULE})
OPERATOR = {
    "PodMonitor": _resource(
        "PodMonitor",
        _closed(
            ("selector",),
            jobLabel={"type": "string"},
            selector=_closed((), matchLabels=_TEXTS),
            podMetricsEndpoints={"type": "array", "items": _ENDPOINT},
        ),
    ),
    "PrometheusRule": _resource(
        "PrometheusRule", _closed((), groups={"type": "array", "minItems": 1, "items": _GROUP})
    ),
}


def validate(document: dict[str, Any]) -> None:
    """Raises an error that names the field: an API server would refuse the document."""
    if document["kind"] in OPERATOR:
        jsonschema.validate(document, OPERATOR[document["kind"]])
        return
    for version in VERSIONS[VERSIONS.index(NATIVE) if _native(document) else 0 :]:
        kubernetes_validate.validate(document, version, strict=True)


def _native(document: dict[str, Any]) -> bool:
    """Whether it has a native sidecar, which the chart refuses before NATIVE."""
    if document["kind"] != "Deployment":
        return False
    containers = document["spec"]["template"]["spec"].get("initContainers", ())
    return any("restartPolicy" in container for container in containers)
