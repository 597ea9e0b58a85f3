from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.signals import find_signals

ASKS_FOR_A_HUMAN = (
    "can I speak to someone",
    "get me a person",
    "is there anybody real there",
    "representative",
    "stop, human please",
    "I don't want to talk to a robot",
    "I don't want to talk to a machine",
    "let me talk to your manager",
    "I'd like to speak with a real person",
    "put me through to someone",
    "transfer me",
    "operator",
    "agent please",
    "Could you connect me with customer service",
    "I need a human",
    "human",
    "speak to a representive",
    "i want to talk to a operater",
    "peak to a person",
    "can somebody call me back",
    "I want to speak to your supervisor right now",
    "is anyone there",
    "is there a human I can talk to",
    "are there any real people working there",
    "no more bots",
    "I'm sick of talking to a machine",
    "get me out of this automated system",
    "can you put me through please",
    "give me somebody who can actually help",
    "I want someone in charge",
    "I'd rather talk to a person",
    "isn't there a person I can speak to",
    "why can't I just talk to someone",
    "can I not speak to someone",
    "don't you have a real person there",
    "may I please have an agent",
    "connect me to billing department",
    "I would prefer a human being",
    "just let me speak to an actual person",
    "hand me over to a colleague",
    "live agent",
    "talk to a human",
    "talk to someone real",
    "speak to a hooman",
    "you man please",
    "let me speak to a human bean",
    "I'm not talking to a computer",
    "I demand to see the manager",
    "pass me to a member of staff",
    "customer service representative",
    "speech to a representative",
    "I need to talk to somebody about this",
    "could I get a person on the phone",
    "how do I reach a human",
    "how do I speak to a person",
    "is it possible to talk to someone",
    "someone other than you please",
    "I want to talk to a person not a bot",
    "escalate this please",
    "I said representative",
    "no, agent",
    "person",
    "real person please",
    "get me your boss",
    "I wish to speak with an advisor",
    "this is useless I want a human being",
    "could a human look at this",
    "can I have a word with your manager",
    "I only want to deal with a human",
    "please transfer my call",
    "is there somebody I can talk to",
    "any chance of talking to a person",
    "anyone human there",
    "put somebody on the phone",
    "can i talk two some one",
    "I won't talk to a bot",
    "let me speak to an agent",
    "I require human assistance",
    "human agent now",
    "hello? is anybody there?",
    "I want out of this robot and a person",
    "get someone on the line",
    "I'd like to talk with customer support",
    "can I chat with a person instead",
    "stop it. operator.",
    "I've had enough of this machine",
    "you're a robot, I want a person",
    "Please may I speak to one of your advisors",
    "who can I talk to about this, a person",
    "I need to speak with an associate",
    "could you put a human on",
    "I'd much rather have a conversation with a person",
    "are you able to connect me with anybody",
    "can somebody from your team ring me",
    "I want to escalate",
    "send me to an agent",
    "give me the supervisor",
    "just get me somebody",
    "how about a real human",
    "let me speak with whoever is in charge",
    "who's your manager",
    "this bot is useless can I get a person",
    "I'm done with the robot",
    "is a human available",
    "can you forward me to a live operator",
    "pass me on to somebody else",
    "speak to agent",
    "put your boss on the phone",
    "can I be transferred",
    "get me off this thing and onto a person",
    "any humans about",
    "may I talk to a customer advisor",
    "let me speak to my account manager",
    "please pass me over to your supervisor",
    "I'd like a callback from one of your people",
    "can an actual employee help me",
    "where do I find a human on this line",
    "I need somebody to talk to",
    "just connect me",
    "are there any agents free",
    "hand me to an agent",
    "agent agent agent",
    "I want to hear a real voice",
    "someone please pick up",
    "would it be possible to have a person call me",
    "I need to talk to a real life person",
    "I would like to be put in touch with an agent",
    "Can one of your staff members assist me",
    "is it possible to reach somebody",
    "do you have any people there",
    "switch me to a live rep",
    "put me on to your complaints team",
)
"""Direct, indirect, clipped by a recogniser, misspelled."""

DOES_NOT_ASK = (
    "I spoke to someone yesterday",
    "a human being delivered it",
    "the agent told me it would arrive on Monday",
    "I was talking to someone at your store last week",
    "the representative said I'd get a refund",
    "I don't need to talk to anyone",
    "I ordered a robot vacuum",
    "my robot vacuum is broken",
    "I need someone to come and fix the boiler",
    "the person who delivered it was rude",
    "is this per person",
    "a ticket for one person please",
    "human hair wig",
    "I bought a shirt for my manager",
    "transfer money to my account",
    "I want to transfer fifty dollars to my savings",
    "can you transfer my balance",
    "my washing machine doesn't work",
    "I want a refund",
    "where is my order",
    "are you a robot",
    "am I talking to a machine",
    "I talked to an advisor and she was lovely",
    "someone stole my parcel",
    "somebody signed for it but not me",
    "nobody called me",
    "I work as an operator",
    "my boss needs the invoice",
    "when I speak to someone they always say the same",
    "your supervisor promised me a callback",
    "every time I talk to someone I get a different answer",
    "the last agent hung up on me",
    "I have been speaking to your staff all week",
    "it was left with a man next door",
    "no need to put me through to anyone",
    "I want to change the person on the booking",
    "can someone else use my ticket",
    "the people in the store were helpful",
    "I need two of them",
    "the coffee machine I ordered is late",
    "I want a new computer",
    "my computer won't connect",
    "put it through the letterbox please",
    "connect the speaker to the wifi",
    "how do I talk to the speaker",
    "can you get me a replacement",
    "the driver was a nice guy",
    "a real person answered last time and fixed it",
    "are you human",
    "am I talking to a real person",
    "was that a human or a machine",
    "I'm only human",
    "can the payment be transferred to my savings",
    "a manager signed for it",
    "the parcel went to a person I don't know",
    "my order was transferred to another branch",
    "someone from your team called me yesterday",
    "do you sell agent orange posters",
    "the operator manual is missing",
    "does someone need to sign for it",
    "how many people work there",
    "can I get a chair for two people",
)
"""People and machines are spoken of, nobody is asked for."""

PRESENT = {
    "self_harm": (
        "I want to kill myself",
        "I don't want to live anymore",
        "I'm thinking about suicide",
        "there's no reason to live",
        "I'd be better off dead",
        "I just want to die",
        "I'm going to end my life",
        "I can't go on living",
        "I want to hurt myself",
        "I might as well end it all",
        "I don't want to be here anymore",
        "I'll take all my pills",
    ),
    "threat": (
        "I'm going to kill you",
        "I'll burn your store down",
        "I know where you live",
        "I've got a bomb",
        "I'm going to come down there and hurt someone",
        "I'll shoot the driver",
        "he said he'll kill me",
        "my husband is threatening to kill me",
        "I'm bringing my gun",
        "you're dead",
        "I will stab him",
    ),
    "medical_danger": (
        "I have chest pains",
        "she can't breathe",
        "I think I'm having a heart attack",
        "he is unconscious",
        "there's a gas leak",
        "I can smell gas",
        "the battery caught fire",
        "call an ambulance",
        "she's having an allergic reaction, a severe allergic reaction",
        "my son swallowed a battery",
        "he's bleeding badly",
        "the kitchen is on fire",
        "I overdosed",
    ),
    "abuse": (
        "fuck you",
        "you're an idiot",
        "you stupid bot",
        "go to hell",
        "shut up",
        "you useless piece of junk",
        "stupid robot",
        "you are so stupid",
        "you fucking moron",
        "screw you",
        "piss off",
        "you're fucking useless",
        "you dumb machine",
        "you are a useless machine",
        "what a stupid bot",
        "useless bot",
    ),
    "withdraw_voice": (
        "don't analyse my voice",
        "stop analyzing my tone",
        "I don't want my voice analysed",
        "turn off the emotion detection",
        "I withdraw my consent",
        "please do not analyze my emotions",
        "I don't consent to voice analysis",
        "no emotion analysis please",
        "opt out of voice analysis",
        "stop reading my feelings",
        "I don't want you to analyse how I sound",
        "I do not agree to my voice being analysed",
    ),
    "forget_call": (
        "forget this call",
        "delete this conversation",
        "forget everything I said",
        "please don't record this",
        "delete my data",
        "erase this call",
        "don't keep any of this",
        "I don't want this to be recorded",
        "delete the recording",
        "forget what I said",
        "wipe this recording",
        "don't save my data",
    ),
    "refuses_offer": (
        "no thanks",
        "I'm not interested",
        "stop trying to sell me things",
        "I don't want any offers",
        "no thank you",
        "I don't need an upgrade",
        "I'll pass",
        "don't try to sell me anything",
        "I don't want the insurance",
        "no more offers please",
        "not for me",
    ),
    "thanks": (
        "thank you so much",
        "thanks",
        "I appreciate it",
        "cheers mate",
        "you've been very helpful",
        "thanks a lot",
        "many thanks",
        "I'm so grateful",
        "that's great, thank you",
    ),
    "goodbye": (
        "bye",
        "goodbye then",
        "have a nice day",
        "that's all thanks",
        "bye bye",
        "see you later",
        "that's all I needed",
        "thanks, bye",
        "take care",
        "talk to you later",
        "that's everything, thank you",
        "good night",
    ),
}
ABSENT = {
    "self_harm": (
        "I cut myself on the packaging",
        "this is killing me",
        "my phone died",
        "I could die laughing",
        "this bill is killing me",
        "the battery is dead",
        "I'd kill for a coffee",
        "I wish to cancel",
    ),
    "threat": (
        "I'll sue you",
        "I ordered a bath bomb",
        "it's a blow up mattress",
        "shoot me an email",
        "I'm going to report you",
        "I'll leave a bad review",
        "I will hit the button",
        "the knife set I ordered is late",
        "you'll hear from my lawyer",
        "I'm going to cancel",
        "I'll kill the subscription",
    ),
    "medical_danger": (
        "I nearly had a heart attack when I saw the bill",
        "what a stroke of luck",
        "the breathing mask I ordered",
        "my first aid kit is missing",
        "it's bleeding edge",
        "the gas bill is high",
        "the chair collapsed shelf",
        "a fire sale",
    ),
    "abuse": (
        "this fucking router is broken",
        "it's bullshit",
        "damn it",
        "I feel so stupid",
        "I'm an idiot I forgot my password",
        "this is ridiculous",
        "what the hell is going on",
        "your delivery is shit",
        "that was a stupid mistake",
        "the bloody thing doesn't work",
        "shut down my account",
        "this stupid machine keeps leaking",
        "the garbage bags never came",
        "you sent me a dumbbell",
        "I was screwed by the courier",
        "you're late again",
        "you have stupid rules",
    ),
    "withdraw_voice": (
        "my voice is hoarse",
        "I don't like the tone of that letter",
        "can you hear my voice",
        "don't raise your voice",
        "the voice assistant I bought",
        "stop sending letters",
        "analyse my bill please",
        "voice mail is full",
    ),
    "forget_call": (
        "I forgot my password",
        "forget it",
        "delete my account please",
        "don't forget my order",
        "remove the item from my basket",
        "I forgot to say",
        "save my address",
        "don't forget to call",
        "cancel the order",
        "the record player",
    ),
    "refuses_offer": (
        "I'm interested in the offer",
        "I want a discount",
        "what offers do you have",
        "thank you",
        "did you sell it",
        "the offer code doesn't work",
        "I want to upgrade",
    ),
    "thanks": (
        "thanks for nothing",
        "no thanks",
        "thanks to you I lost my job",
        "the thanksgiving order",
        "no thank you",
        "you didn't even say thank you",
    ),
    "goodbye": (
        "is that all",
        "I want to buy it",
        "that's all wrong",
        "I take care of my mother",
        "he left without saying anything",
        "that's all I know about it",
        "good day to deliver",
        "I said goodbye to my money",
    ),
}


@pytest.mark.parametrize("text", ASKS_FOR_A_HUMAN)
def test_a_wish_for_a_human_is_heard_in_any_wording(text: str) -> None:
    assert "asks_human" in find_signals(text)


@pytest.mark.parametrize("text", ASKS_FOR_A_HUMAN)
def test_case_and_marks_do_not_matter(text: str) -> None:
    assert "asks_human" in find_signals(text.upper() + "!!")
    assert "asks_human" in find_signals("um, " + text.replace("'", "\u2019"))


@pytest.mark.parametrize("text", DOES_NOT_ASK)
def test_speaking_of_people_is_no_wish_for_one(text: str) -> None:
    assert "asks_human" not in find_signals(text)


@pytest.mark.parametrize(
    ("signal", "text"), [(signal, text) for signal, texts in PRESENT.items() for text in texts]
)
def test_a_signal_is_heard(signal: str, text: str) -> None:
    assert signal in find_signals(text)


@pytest.mark.parametrize(
    ("signal", "text"), [(signal, text) for signal, texts in ABSENT.items() for text in texts]
)
def test_what_only_looks_like_a_signal_is_none(signal: str, text: str) -> None:
    assert signal not in find_signals(text)


WORDINGS = Path(__file__).parents[2] / "benchmarks" / "wordings" / "signals_unseen.txt"


def _unseen() -> dict[tuple[str, bool], list[str]]:
    found: dict[tuple[str, bool], list[str]] = defaultdict(list)
    name, wanted = "", ""
    for line in WORDINGS.read_text("utf-8").splitlines():
        if line.startswith("["):
            name, wanted = line.replace("[", "").replace("]", "").split()
        elif line and not line.startswith("#"):
            found[name, wanted == "yes"].append(line)
    return found


@pytest.mark.parametrize("said", _unseen()["asks_human", True])
def test_no_wording_of_the_unseen_set_asks_for_a_human_in_vain(said: str) -> None:
    assert "asks_human" in find_signals(said)


@pytest.mark.parametrize(
    ("signal", "found", "mistaken"),
    [
        ("asks_human", 1.0, 0.06),
        ("self_harm", 0.95, 0.2),
        ("threat", 0.95, 0.2),
        ("medical_danger", 0.95, 0.15),
        ("withdraw_voice", 0.95, 0.15),
        ("forget_call", 0.95, 0.1),
        ("abuse", 0.95, 0.05),
        ("sarcasm", 0.95, 0.05),
    ],
)
def test_signals_in_unseen_wordings(signal: str, found: float, mistaken: float) -> None:
    texts = _unseen()
    present, absent = texts[signal, True], texts[signal, False]
    assert len(present) >= 20
    assert sum(signal in find_signals(text) for text in present) >= found * len(present)
    assert sum(signal in find_signals(text) for text in absent) <= mistaken * len(absent)


@pytest.mark.parametrize(
    "text",
    [
        "oh great, another delay, just wonderful",
        "fantastic, broken again",
        "thanks for nothing",
        "brilliant, just what I needed",
        "how kind of you to charge me twice",
    ],
)
def test_praise_for_something_bad_is_sarcasm_and_no_thanks(text: str) -> None:
    assert "sarcasm" in find_signals(text)
    assert "thanks" not in find_signals(text)


@pytest.mark.parametrize(
    "text",
    [
        "thank you so much you've been wonderful",
        "great, it works again now, thanks",
        "thank you that is kind of you",
    ],
)
def test_sincere_thanks_are_thanks(text: str) -> None:
    assert "thanks" in find_signals(text)
    assert "sarcasm" not in find_signals(text)


def test_several_signals_in_one_breath() -> None:
    assert find_signals("Thanks, but get me a human, you stupid bot. Bye.") >= {
        "thanks",
        "asks_human",
        "abuse",
        "goodbye",
    }


@pytest.mark.parametrize(
    "text", ["", "   ", "12345", "\U0001f600" * 100_000, "\u0434\u0430", "a " * 50_000]
)
def test_odd_texts_hold_no_signal(text: str) -> None:
    assert find_signals(text) == frozenset()


@given(st.text(max_size=300))
def test_any_text_is_read_and_always_the_same_way(text: str) -> None:
    assert find_signals(text) == find_signals(text)


@pytest.mark.parametrize(
    "text",
    [
        "my mother died on sunday and I have to sort out her accounts",
        "is there an actual breathing person about",
        "there was glass in the box but nobody got hurt",
        "I'm dying to know whether the money came",
        "these shoes are murder on my feet",
        "I'd rather you didn't",
    ],
)
def test_a_figure_of_speech_or_a_death_of_the_past_is_no_danger(text: str) -> None:
    assert not find_signals(text) & {"self_harm", "threat", "medical_danger"}


def test_a_word_without_end_is_read_at_once() -> None:
    assert find_signals("a" * 100_000) == frozenset()
    assert find_signals("a" * 10_000 + " I want a person") == find_signals("I want a person")


@pytest.mark.parametrize(
    "text",
    [
        "my wife will murder me if it isn't here by Friday",
        "mum will kill me if I lose this order",
        "I'm dying for a cup of tea while you look",
        "these heels are killing me",
        "I'd sooner die than shop with you again",
        "that price is suicide",
        "I'm going to explode if it is late again",
        "where's my nail gun",
        "I almost fainted when I saw the price",
    ],
)
def test_a_figure_of_speech_is_no_alarm(text: str) -> None:
    assert not find_signals(text) & {"self_harm", "threat", "medical_danger"}


@pytest.mark.parametrize(
    ("text", "signal"),
    [
        ("my ex is going to kill me if he finds out where I am", "threat"),
        ("this is killing me and I want to end my life", "self_harm"),
        ("the debt is killing me I'm going to hang myself", "self_harm"),
        ("I've got a rope in the garage and I've thought about using it", "self_harm"),
        ("I'm sat on the edge of the bridge", "self_harm"),
        ("I nearly fainted when I stood up and now I can't breathe", "medical_danger"),
    ],
)
def test_an_alarm_is_heard_beside_a_figure_of_speech(text: str, signal: str) -> None:
    assert signal in find_signals(text)


@pytest.mark.parametrize(
    "text",
    [
        "can you speak up",
        "could you talk a bit slower",
        "please speak more clearly",
        "say it again",
    ],
)
def test_how_the_assistant_is_to_speak_is_no_wish_for_a_human(text: str) -> None:
    assert "asks_human" not in find_signals(text)
