"""Push by Firebase Cloud Messaging."""

from channels.push.channel import PushChannel
from channels.push.fcm import FcmClient, GoogleTokens

__all__ = ["FcmClient", "GoogleTokens", "PushChannel"]
