"""Local stand-ins for the outside world, speaking the providers' real HTTP APIs.

One small web app (``create_sandbox``) stands for Africa's Talking (SMS and USSD), Firebase Cloud
Messaging with its token endpoint, Paystack with its checkout page, and the phones of the people.
It checks what it is sent as the provider would, and calls the hub back at
``settings.http.public_url``: form posts to ``/callbacks/{token}/sms/inbound``, ``/sms/delivery``,
``/sms/opt-out``, ``/ussd`` and ``/ussd/events``, signed JSON to ``/webhooks/paystack``. Whatever it
owes the hub is a row in ``sandbox.db`` until the hub took it or a few minutes of retries have
passed, so a restart of either side loses nothing. It knows no capability of the hub, only its
ground floor and settings.

Phones (JSON, cross-origin for the hub's pages):
    GET    /phone                             a web phone; ``?number=`` chooses whose
    GET    /phone/{msisdn}/messages           ``?after={id}``: only newer ones, oldest first
    POST   /phone/{msisdn}/messages           ``{to, text}``
    POST   /phone/{msisdn}/ussd               ``{session_id: null|str, input}``
    DELETE /phone/{msisdn}/ussd/{session_id}  hangs up
    PUT    /phone/{msisdn}/opt-out            no more messages (406); DELETE takes it back
    GET    /push/{token}                      what reached an app's token
    GET    /callbacks                         what the hub still has to take, and what it never took
    GET    /health

Paystack's customer: the page ``/paystack/checkout/{access_code}``, and for programs
    GET  /paystack/checkout/{access_code}/transaction
    POST /paystack/checkout/{access_code}/pay | fail | abandon   -> ``{status, redirect_url}``

Bad manners: ``POST /behaviour {provider, what, times, match, value}`` makes a provider misbehave.
``times`` is how often (default 1; null until taken back). ``match`` limits it to requests whose
subject contains that text: a phone number at Africa's Talking, a token at FCM, at Paystack
``"{METHOD} {path} {reference}"``. ``GET /behaviour`` lists what is on and what there is, with the
meaning of ``value``; ``DELETE /behaviour`` takes all back, ``DELETE /behaviour/{id}`` one. The list
with its explanations is ``hub.sandbox.behaviour.KNOWN``.
"""

from hub.sandbox.app import create_sandbox
from hub.sandbox.courier import Pace
from hub.sandbox.keys import fresh_service_account
from hub.sandbox.terminal import run_phone

__all__ = ["Pace", "create_sandbox", "fresh_service_account", "run_phone"]
