"""What the chart is asked for in the tests: each mode, each value, and much of it together."""

from typing import Any

from support import helm

INFERENCE = {"image": "inference:1", "command": ["python", "serve.py"], "resources": {"limits": {"nvidia.com/gpu": 1}}}
SIDECARS = ("classic-sidecar", "native-sidecar")
CONFIG = "accounts:\n  - {name: a, credential: file:/run/secrets/token-monitor/A}\n"
COMBINATIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    **{f"example {mode}": helm.example(mode) for mode in ("watch-only", *SIDECARS)},
    "a Secret of the chart's": {"secret": {"values": {"FACEFUSION_API_TOKEN": "abc", "SECOND": "d: 'e'\n"}}},
    "a volume that lasts": {"persistence": {"enabled": True, "size": "1Gi", "storageClassName": "fast"}},
    "a volume, and the user's Pod": {"persistence": {"enabled": True}, "pod": {"securityContext": {"fsGroup": 7}}},
    "IPv6 only": {"host": "::", "networkPolicy": {"dnsPort": 5353}},
    "OpenShift": {"securityContext": {"runAsUser": None, "runAsGroup": None}, "networkPolicy": {"dnsPort": 5353}},
    "a digest": {"image": {"repository": "r.example/tm", "tag": f"1@sha256:{'0' * 64}", "pullPolicy": "Always"}},
    "no policy": {"networkPolicy": {"enabled": False}},
    "a broker": {"networkPolicy": {"egress": [{"ports": [{"port": 9092, "protocol": "TCP"}]}]}},
    "an operator that selects": {
        "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    },
    **{
        f"everything, {mode}": {
            "mode": mode,
            "settings": {"WARNING_THRESHOLD": "0.10", "BALANCE_UNIT": '"calls": #1'},
            "config": CONFIG,
            "secret": {"name": "mine", "values": {"A": "abc"}},
            "port": 19775,
            "sharedFolder": True,
            "inference": {
                "replicas": 3,
                "strategy": {"type": "Recreate"},
                "container": INFERENCE | {"volumeMounts": [{"name": "models", "mountPath": "/models"}]},
            },
            "pod": {
                "imagePullSecrets": [{"name": "registry"}],
                "nodeSelector": {"gpu": "yes"},
                "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
                "volumes": [{"name": "models", "emptyDir": {}}],
                "initContainers": [{"name": "download", "image": "models:1"}],
                "serviceAccountName": "mine",
            },
            "podLabels": {"team": "vision"},
            "podAnnotations": {"example.com/scrape": "true"},
            "podMonitor": {"enabled": True},
            "prometheusRule": {"enabled": True},
        }
        for mode in SIDECARS
    },
}
"""Values by what they ask for."""
