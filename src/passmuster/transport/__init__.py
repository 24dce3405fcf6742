"""The only user of a network library: every request has an end in time and in bytes.

A server that drips one byte a second, that answers for ever, that packs much into little or that
sends somebody elsewhere is an error that names it: never a wait, and never a redirect that is
followed. What answers in another one's place (a captive portal, a proxy's page) is no success.
"""

from passmuster.transport._caller import Answer, Caller, Patience
from passmuster.transport._plain import ask, exchange
from passmuster.transport._post import MAX_BYTES, post
from passmuster.transport._service import Service

__all__ = ["MAX_BYTES", "Answer", "Caller", "Patience", "Service", "ask", "exchange", "post"]
