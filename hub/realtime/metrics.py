"""What a node counts, in plain integers, and how Prometheus reads them.

Counting must cost nothing in a fan-out, so nothing here locks; a scrape reads the integers.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from hub.realtime import codes

if TYPE_CHECKING:
    from hub.realtime.node import Node

__all__ = ["Counts", "NodeCollector", "Tally"]

_BY_NAMESPACE = {
    "publications": "Publications fanned out",
    "deliveries": "Publications written to sessions",
    "subscriptions": "Subscriptions made",
    "history_reads": "Reads of streams",
}


class Counts:
    """What happened in the channels of one namespace. ``publications`` fanned out here;
    ``deliveries`` are publications times their receivers; ``subscriptions`` made;
    ``history_reads`` of streams, for ``history``, recovery and gaps."""

    __slots__ = ("deliveries", "history_reads", "publications", "subscriptions")

    def __init__(self) -> None:
        self.deliveries = self.history_reads = self.publications = self.subscriptions = 0


class Tally:
    """Counts since the node started; those by namespace are in ``of(name)``."""

    __slots__ = ("_by_namespace", "connected", "disconnects", "faults", "reconnects")

    def __init__(self, namespaces: Iterable[str] = ()) -> None:
        self.connected = self.faults = self.reconnects = 0
        self._by_namespace = {name: Counts() for name in namespaces}
        known = (each for each in vars(codes).values() if isinstance(each, codes.Disconnect))
        self.disconnects = {each.code: 0 for each in known}  # from zero, so graphs have no gaps

    def of(self, namespace: str) -> Counts:
        counts = self._by_namespace.get(namespace)
        if counts is None:
            counts = self._by_namespace[namespace] = Counts()
        return counts

    @property
    def by_namespace(self) -> Mapping[str, Counts]:
        return self._by_namespace

    @property
    def deliveries(self) -> int:
        return sum(counts.deliveries for counts in self._by_namespace.values())


class NodeCollector(Collector):
    """Shows a node to Prometheus."""

    def __init__(self, node: "Node") -> None:
        self._node = node

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        tally = self._node.tally
        yield GaugeMetricFamily(
            "hub_realtime_connections", "Open connections", value=len(self._node.sessions)
        )
        yield GaugeMetricFamily(
            "hub_realtime_channels", "Channels with members", value=self._node.channel_count
        )
        for name, text, value in (
            ("hub_realtime_connects", "Accepted connect commands", tally.connected),
            ("hub_realtime_faults", "Commands that failed within the server", tally.faults),
            ("hub_realtime_broker_reconnects", "Reconnects to Redis", tally.reconnects),
        ):
            yield CounterMetricFamily(name, text, value=value)
        for what, text in _BY_NAMESPACE.items():
            family = CounterMetricFamily(f"hub_realtime_{what}", text, labels=["namespace"])
            for name, counts in sorted(tally.by_namespace.items()):
                family.add_metric([name], getattr(counts, what))
            yield family
        ended = CounterMetricFamily(
            "hub_realtime_disconnects", "Sessions ended, by code", labels=["code"]
        )
        for code, count in sorted(tally.disconnects.items()):
            ended.add_metric([str(code)], count)
        yield ended
