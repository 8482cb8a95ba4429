"""What an error of Kafka's means for the next alert, in librdkafka's names: those with _ are its own, the others the
broker's (https://kafka.apache.org/protocol#protocol_error_codes).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from token_monitor.core.errors import ChannelError, Scope

if TYPE_CHECKING:
    from confluent_kafka import KafkaError

_LOGIN: Final = "it refuses the login; check username, password, sasl_mechanism and security_protocol"
MENDED_BY_PEOPLE: Final[Mapping[str, str]] = {
    "_AUTHENTICATION": _LOGIN,
    "SASL_AUTHENTICATION_FAILED": _LOGIN,
    "UNSUPPORTED_SASL_MECHANISM": _LOGIN,
    "ILLEGAL_SASL_STATE": _LOGIN,
    "UNKNOWN_TOPIC_OR_PART": "it has no topic {topic}; create it, or correct topic",
    "_UNKNOWN_TOPIC": "it has no topic {topic}; create it, or correct topic",
    "_UNKNOWN_PARTITION": "it has no topic {topic}; create it, or correct topic",
    "TOPIC_EXCEPTION": "it finds the name {topic} unfit for a topic; correct topic",
    "TOPIC_AUTHORIZATION_FAILED": "the user may not write to {topic}; let it describe and write that topic",
    "CLUSTER_AUTHORIZATION_FAILED": "the user may not write idempotently; let it, or let it write {topic} (Kafka >= 3)",
    "UNSUPPORTED_VERSION": "it is too old for idempotent writes; Kafka 0.11 or later is needed",
    "_UNSUPPORTED_FEATURE": "it is too old for idempotent writes; Kafka 0.11 or later is needed",
}
_MESSAGE: Final[Mapping[str, str]] = {
    "MSG_SIZE_TOO_LARGE": "the message is too large for topic {topic}",
    "RECORD_LIST_TOO_LARGE": "the message is too large for topic {topic}",
    "INVALID_RECORD": "topic {topic} does not accept the record",
}
_RETRY: Final[Mapping[str, str]] = {
    "_SSL": "TLS fails; check security_protocol and ca_file",
    "_RESOLVE": "the name cannot be resolved",
    "_TRANSPORT": "cannot be reached, or closes the connection; check brokers and security_protocol",
    "_ALL_BROKERS_DOWN": "cannot be reached, or closes the connection; check brokers and security_protocol",
    "_MSG_TIMED_OUT": "did not confirm in time",
    "_TIMED_OUT": "did not answer in time",
    "NOT_ENOUGH_REPLICAS": "too few replicas are in sync",
    "NOT_ENOUGH_REPLICAS_AFTER_APPEND": "too few replicas are in sync",
    "LEADER_NOT_AVAILABLE": "topic {topic} has no leader yet",
}
TELLING: Final = ("_AUTHENTICATION", "_SSL", "_RESOLVE")  # more than that no broker is there


def failure(brokers: str, topic: str, error: "KafkaError", *, ambiguous: bool = False) -> ChannelError:
    """ambiguous: the record may have left before it failed."""
    name = name_of(error)
    for scope, meanings in ((Scope.CHANNEL, MENDED_BY_PEOPLE), (Scope.MESSAGE, _MESSAGE), (Scope.RETRY, _RETRY)):
        if name in meanings:
            reason = f"{brokers}: {meanings[name].format(topic=topic)}"
            return ChannelError(scope, reason, ambiguous=ambiguous and scope is Scope.RETRY)
    return ChannelError(Scope.RETRY, f"{brokers}: {name.strip('_').replace('_', ' ').lower()}", ambiguous=ambiguous)


def name_of(error: "KafkaError") -> str:
    """The name of what went wrong.

    A broker that goes away during the login is not one that refuses it, though librdkafka calls both the same.
    """
    if error.name() == "_AUTHENTICATION" and "transport failure" in error.str():
        return "_TRANSPORT"
    return error.name()
