"""SMS by Africa's Talking: notices and one-time codes out, delivery reports and answers in."""

from channels.sms.africastalking import AfricasTalking
from channels.sms.channel import SmsChannel, SmsCodeSender, SmsNotSent
from channels.sms.encoding import Parts, is_gsm7, measure, plain_punctuation, transliterate
from channels.sms.routes import routes

__all__ = [
    "AfricasTalking",
    "Parts",
    "SmsChannel",
    "SmsCodeSender",
    "SmsNotSent",
    "is_gsm7",
    "measure",
    "plain_punctuation",
    "routes",
    "transliterate",
]
