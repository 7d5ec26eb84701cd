"""Transcripts: what a person reads and types, word for word."""

from typing import Any

import msgspec
import pytest

from channels.ussd import menu
from channels.ussd.facts import (
    Businesses,
    Conversations,
    DraftOutcome,
    Facts,
    MyInvestments,
    Offers,
    Outcome,
    Place,
    Saved,
    SavedPlace,
    Thread,
    Wallets,
)
from channels.ussd.model import (
    Ask,
    Caller,
    Invest,
    Reply,
    SetLanguage,
    State,
)
from channels.ussd.screens import screen_kinds
from channels.ussd.wording import LANGUAGES
from hub.money import Money


def test_the_owner_reads_balance_and_investments_in_english(dial: Any) -> None:
    phone = dial()
    assert phone.text == "Bvester: welcome, Otieno.\nEnter your PIN:"
    assert phone.type("2580") == (
        "Bvester\n1 Balance\n2 Investments\n3 Offers\n4 Messages\n5 Language\n0 Exit"
    )
    assert phone.type("1") == (
        "Your money:\nYou: KES 5,000\nZiwa Fish: KES 120,000 (KES 20 held)\n0 Back 00 Home"
    )
    assert phone.types("0", "2") == "Investments:\n1 Ziwa Fish\n2 My investments\n0 Back 00 Home"
    assert phone.type("1") == (
        "Ziwa Fish:\nCold store: KES 110,000 of KES 120,000\n"
        "Ada Obi: KES 25,000\nKwame: KES 85,000\n0 Back 00 Home"
    )
    assert phone.types("0", "2") == (
        "Investments:\nOven, Zawadi Bakery: KES 1,000 (KES 4,000 of KES 40,000)\n0 Back 00 Home"
    )
    assert phone.types("00", "0") == "Thank you for using Bvester."
    assert not phone.more


def test_the_owner_reads_balance_and_investments_in_swahili(dial: Any) -> None:
    phone = dial("sw")
    assert phone.text == "Bvester: karibu, Otieno.\nWeka PIN yako:"
    assert phone.type("2580") == (
        "Bvester\n1 Salio\n2 Uwekezaji\n3 Fursa\n4 Ujumbe\n5 Lugha\n0 Toka"
    )
    assert phone.type("1") == (
        "Pesa zako:\nWewe: KES 5,000\nZiwa Fish: KES 120,000 (KES 20 imeshikiliwa)\n"
        "0 Rudi 00 Mwanzo"
    )
    assert phone.types("00", "2", "1") == (
        "Ziwa Fish:\nCold store: KES 110,000 kati ya KES 120,000\n"
        "Ada Obi: KES 25,000\nKwame: KES 85,000\n0 Rudi 00 Mwanzo"
    )
    assert phone.types("00", "9") == (
        "Hakuna chaguo hilo.\nBvester\n1 Salio\n2 Uwekezaji\n3 Fursa\n4 Ujumbe\n5 Lugha\n0 Toka"
    )


def test_an_owner_of_one_shop_without_investments_sees_its_investors_at_once(
    dial: Any, world: Any
) -> None:
    world.answers[MyInvestments()] = ()
    assert dial("sw").types("2580", "2").startswith("Ziwa Fish:\nCold store: KES 110,000")
    world.answers[Businesses()] = ()
    assert dial().types("2580", "2").startswith("You have no investments yet.")


def test_an_investment_is_confirmed_once(dial: Any, world: Any) -> None:
    phone = dial()
    assert phone.types("2580", "3") == "Open offers:\n1 Cold store, Ziwa Fish\n0 Back 00 Home"
    assert phone.type("1") == (
        "Cold store, Ziwa Fish\nRaised KES 110,000 of KES 120,000\n"
        "14% a year, 18 months, until 2027-01-23\n1 Invest\n0 Back 00 Home"
    )
    assert phone.type("1") == (
        "Cold store\nHow much, in KES? KES 500 to KES 50,000:\n0 Back 00 Home"
    )
    assert phone.type("1,000") == (
        "Invest KES 1,000 in Cold store?\n1 Yes, invest\n2 No\n0 Back 00 Home"
    )
    assert world.done == []
    assert phone.type("1") == ("Done. You invested KES 1,000 in Cold store.\n0 Back 00 Home")
    assert world.done == [Invest("o1", "Cold store", Money(100_000, "KES"), "d1")]
    assert phone.types("0", "1").startswith("Your money:\nYou: KES 4,000")


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("lots", "Not an amount."),
        ("-5", "Not an amount."),
        ("1.234", "Not an amount."),
        ("499.99", "From KES 500 to KES 50,000."),
        ("50001", "From KES 500 to KES 50,000."),
        ("00000", "Not an amount."),
        ("١٠٠٠", "Not an amount."),
    ],
)
def test_a_wrong_amount_gets_a_hint_and_the_same_screen(dial: Any, typed: str, hint: str) -> None:
    phone = dial()
    asked = phone.types("2580", "3", "1", "1")
    assert phone.type(typed) == f"{hint}\n{asked}"
    assert phone.type("700").startswith("Invest KES 700")


def test_a_refusal_is_told_with_its_reason(dial: Any, world: Any) -> None:
    world.refusal = "insufficient_funds"
    assert dial("sw").types("2580", "3", "1", "1", "900", "1") == (
        "Haikufanyika. Hakuna pesa za kutosha kwenye pochi yako.\n0 Rudi 00 Mwanzo"
    )


def test_a_refusal_nobody_foresaw_is_still_told_politely(dial: Any, world: Any) -> None:
    world.refusal = "moon_in_the_wrong_quarter"
    phone = dial()
    assert phone.types("2580", "3", "1", "1", "900", "1").startswith(
        "Not done. It is not possible now."
    )


def test_no_is_no(dial: Any, world: Any) -> None:
    phone = dial()
    assert phone.types("2580", "3", "1", "1", "900", "2").startswith("Cold store\nHow much")
    assert world.done == []


def test_a_second_amount_is_a_second_draft(dial: Any, world: Any) -> None:
    phone = dial()
    phone.types("2580", "3", "1", "1", "900", "2", "800", "1")
    assert [action.draft for action in world.done] == ["d2"]


def test_a_message_is_read_and_answered(dial: Any, world: Any) -> None:
    phone = dial()
    assert phone.types("2580", "4") == "Messages:\n1 (new) Ada Obi: Ziwa Fish\n0 Back 00 Home"
    assert phone.type("1") == "Ada Obi: How is the catch?\n1 Reply\n0 Back 00 Home"
    assert phone.type("1") == "Your reply to Ada Obi:\n0 Back 00 Home"
    assert phone.type("Good, 80 kg * 2 boats") == "Your message was sent.\n0 Back 00 Home"
    [reply] = world.done
    assert isinstance(reply, Reply)
    assert (reply.conversation, reply.text) == ("c1", "Good, 80 kg * 2 boats")


def test_a_reply_dropped_after_it_was_sent_is_not_sent_again(dial: Any, world: Any) -> None:
    phone = dial()
    phone.types("2580", "4", "1", "1")
    world.outcomes[phone.state.here.args[2]] = Outcome()
    assert phone.type(None).startswith("Your message was sent.")


def test_the_language_changes_at_once(dial: Any, world: Any) -> None:
    phone = dial()
    assert phone.types("2580", "5") == (
        "Language:\n1 English\n2 Kiswahili\n3 Francais\n0 Back 00 Home"
    )
    assert phone.type("2").startswith("Bvester\n1 Salio")
    assert world.done == [SetLanguage("sw")]


def test_wrong_pins_count_down_and_the_third_ends_the_session(dial: Any) -> None:
    phone = dial()
    assert phone.type("0000").startswith("Wrong PIN. Tries left: 4.\nBvester: welcome")
    assert phone.type("12").startswith("A PIN has 4 to 6 digits.")
    assert phone.type("1111") == "That did not work. Please dial again when you are ready."
    assert not phone.more


def test_a_locked_pin_says_for_how_long(dial: Any, world: Any) -> None:
    world.wrong_pins = 4
    phone = dial("sw")
    assert phone.type("1111") == "PIN yako imefungwa. Jaribu tena baada ya dakika 1."
    assert not phone.more


@pytest.mark.parametrize("typed", ["0", "00", "98", "1", "", " ", "2580x", "２５８０"])
def test_nothing_but_the_pin_opens_the_door(dial: Any, typed: str) -> None:
    phone = dial()
    phone.type(typed)
    assert not phone.state.signed_in


def test_three_wrong_inputs_in_a_row_end_politely_and_a_right_one_forgives(dial: Any) -> None:
    phone = dial()
    phone.types("2580", "9", "x")
    assert phone.more
    phone.types("1", "0", "9", "9")
    assert phone.more
    assert phone.type("9") == "That did not work. Please dial again when you are ready."
    assert not phone.more


def test_a_long_list_goes_on_under_98_and_numbers_keep_their_meaning(dial: Any, world: Any) -> None:
    offer = world.answers[Offers()][0]
    world.answers[Offers()] = tuple(
        msgspec.structs.replace(offer, id=f"o{n}", title=f"Offer number {n} of many")
        for n in range(1, 13)
    )
    for many in world.answers[Offers()]:
        world.answers[type(next(q for q in world.answers if hasattr(q, "offering")))(many.id)] = (
            many
        )
    phone = dial()
    first = phone.types("2580", "3")
    assert first.endswith("98 More 0 Back 00 Home")
    second = phone.type("98")
    assert second != first
    assert phone.type("0") == first
    assert phone.types("98", "12").startswith("Offer number 12 of many")
    assert phone.types("0", "3").startswith("Offer number 3 of many")


def test_a_long_message_is_read_page_by_page(dial: Any, world: Any) -> None:
    line = world.answers[Thread("c1")][0]
    long = " ".join(f"word{n}" for n in range(60))
    world.answers[Thread("c1")] = (msgspec.structs.replace(line, text=long),)
    phone = dial()
    read = [phone.types("2580", "4", "1")]
    while "98 More" in read[-1]:
        read.append(phone.type("98"))
    told = " ".join(" ".join(page.split("\n")[:-1]) for page in read)
    assert told == f"Ada Obi: {long} 1 Reply"
    assert phone.type("1").startswith("Your reply")


def test_a_dropped_session_is_offered_again_after_the_pin(dial: Any, world: Any) -> None:
    world.answers[SavedPlace()] = Saved(Place("amount", ("o1",)), (Place("home"), Place("offers")))
    phone = dial()
    assert phone.type("2580") == "You stopped before the end. Go on there?\n1 Continue\n2 Main menu"
    assert phone.type("1").startswith("Cold store\nHow much")
    assert phone.type("0").startswith("Open offers:")


def test_the_offer_to_go_on_can_be_declined(dial: Any, world: Any) -> None:
    world.answers[SavedPlace()] = Saved(Place("amount", ("o1",)))
    assert dial().types("2580", "2").startswith("Bvester\n1 Balance")


def test_going_on_at_a_confirmed_draft_shows_its_outcome(dial: Any, world: Any) -> None:
    confirm = Place("confirm_investment", ("o1", "Cold store", "100000", "KES", "d9"))
    world.answers[SavedPlace()] = Saved(confirm)
    world.outcomes["d9"] = Outcome()
    assert dial().types("2580", "1") == (
        "Done. You invested KES 1,000 in Cold store.\n0 Back 00 Home"
    )
    assert world.done == []


def test_a_place_of_an_older_version_leads_home(dial: Any, world: Any) -> None:
    world.answers[SavedPlace()] = Saved(Place("a screen of last year", ("x",)))
    assert dial().types("2580", "1").startswith("Bvester\n1 Balance")


def test_a_dialled_path_waits_for_the_pin_and_never_keeps_what_may_be_one() -> None:
    caller = Caller("p1", "Otieno", "en")
    assert menu.start(caller, ["3", "1", "2580", "1"]).pending == ("3", "1")
    assert menu.start(caller, ["2580"]).pending == ()
    assert menu.start(caller, ["1"] * 50).pending == ("1",) * 6


def test_an_offer_that_closed_meanwhile_says_so(dial: Any, world: Any) -> None:
    phone = dial()
    phone.types("2580", "3", "1", "1")
    for question in list(world.answers):
        if hasattr(question, "offering"):
            world.answers[question] = None
    assert phone.type("800").startswith("This offer is no longer open.")


def test_people_without_anything_are_told_so(dial: Any, world: Any) -> None:
    for question in (Wallets(), Offers(), Conversations()):
        world.answers[question] = ()
    phone = dial()
    assert phone.types("2580", "1").startswith("You have no wallet yet.")
    assert phone.types("0", "3").startswith("There are no open offers now.")
    assert phone.types("0", "4").startswith("You have no messages.")


def test_a_step_asks_for_what_it_lacks_and_changes_nothing() -> None:
    state = State("p1", "Otieno", "en", here=Place("balance"), signed_in=True)
    assert menu.step(state, None, Facts()) == Ask(Wallets())
    confirm = Place("confirm_investment", ("o1", "t", "1", "KES", "d1"))
    at_confirm = msgspec.structs.replace(state, here=confirm)
    assert menu.step(at_confirm, "1", Facts()) == Ask(DraftOutcome("d1"))


def test_a_state_survives_its_storage() -> None:
    state = State("p", "n", "sw", Place("offer", ("1",)), (Place("home"),), saved=Saved(Place("x")))
    assert msgspec.json.decode(msgspec.json.encode(state), type=State) == state


ARGS = {
    "notice": ("Done. " * 40,),
    "business": ("b1", "A very long business name " * 3),
    "offer": ("o1",),
    "amount": ("o1",),
    "confirm_investment": ("o1", "A very long title indeed " * 5, "123456789012", "KES", "d1"),
    "conversation": ("c1", "An investor with a long name " * 3),
    "reply": ("c1", "An investor with a long name " * 3, "d1"),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", sorted(screen_kinds()))
@pytest.mark.parametrize("wrong", [False, True])
def test_every_screen_fits_in_every_language(
    dial: Any, world: Any, name: str, language: str, wrong: bool
) -> None:
    """``Keypad.type`` checks letters and length; here it sees every screen at its longest."""
    large = Money(123_456_789_012, "KES")
    for question, answer in list(world.answers.items()):
        if isinstance(answer, tuple):
            world.answers[question] = tuple(_longest(item, large) for item in answer) * 7
        elif answer is not None:
            world.answers[question] = _longest(answer, large)
    phone = dial(language)
    phone.state = State(
        "p1", "Nebuchadnezzar" * 4, language, Place(name, ARGS.get(name, ())), signed_in=True
    )
    hint = "From KES 123,456,789 to KES 123,456,789,000." if wrong else ""
    phone.state = msgspec.structs.replace(phone.state, hint=hint)
    phone.type(None)
    for _ in range(20):
        if not phone.text.split("\n")[-1].startswith("98 "):
            break
        phone.type("98")
    assert phone.more


def _longest(item: Any, money: Money) -> Any:
    changes: dict[str, Any] = {}
    for field in msgspec.structs.fields(item):
        value = getattr(item, field.name)
        if isinstance(value, Money):
            changes[field.name] = money
        elif isinstance(value, str) and field.name != "id" and value:
            changes[field.name] = value + " ₦ọ̀{}[€" * 12
    return msgspec.structs.replace(item, **changes)
