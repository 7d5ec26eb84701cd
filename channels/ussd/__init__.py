"""USSD: the hub on any phone, by a menu of short screens.

``menu`` is the pure engine and ``screens`` the branches of the menu; ``turn`` plays one POST of an
aggregator over sealed ``session`` storage, and ``desk`` is what it learns from the hub and asks of
it. A session dropped by the network is taken up again after the PIN; nothing that was confirmed
happens twice; a PIN is stored and logged nowhere.
"""

from channels.ussd.drafts import Promises
from channels.ussd.events import RequestDone, RequestFailed
from channels.ussd.routes import routes
from channels.ussd.session import Sessions

__all__ = ["Promises", "RequestDone", "RequestFailed", "Sessions", "routes"]
