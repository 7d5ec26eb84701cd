"""What a node counts, in plain integers, and how Prometheus reads them.

Counting must cost nothing in a fan-out, so nothing here locks; a scrape reads the integers.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from hub.realtime import codes

if TYPE_CHECKING:
    from hub.realtime.node import Node

__all__ = ["NodeCollector", "Tally"]


class Tally:
    """Counts since the node started. ``deliveries`` are publications times their receivers."""

    __slots__ = ("connected", "deliveries", "disconnects", "faults", "publications", "reconnects")

    def __init__(self) -> None:
        self.connected = self.deliveries = self.publications = 0
        self.faults = self.reconnects = 0
        known = (each for each in vars(codes).values() if isinstance(each, codes.Disconnect))
        self.disconnects = {each.code: 0 for each in known}  # from zero, so graphs have no gaps


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
            ("hub_realtime_publications", "Publications fanned out", tally.publications),
            ("hub_realtime_deliveries", "Publications written to sessions", tally.deliveries),
            ("hub_realtime_faults", "Commands that failed within the server", tally.faults),
            ("hub_realtime_broker_reconnects", "Reconnects to Redis", tally.reconnects),
        ):
            yield CounterMetricFamily(name, text, value=value)
        ended = CounterMetricFamily(
            "hub_realtime_disconnects", "Sessions ended, by code", labels=["code"]
        )
        for code, count in sorted(tally.disconnects.items()):
            ended.add_metric([str(code)], count)
        yield ended
