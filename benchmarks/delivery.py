"""How well the voice does what a delivery asks, on 60 texts that it was not calibrated on.

    python benchmarks/delivery.py [--independent]

Targets are drawn (seed 2) from the whole range of the empathy profiles: rate 0.85-1.15, pitch
-2..+2 st, range 0.8-1.25, level -3..+1 dB. Each text is spoken once with its targets; what came
out is measured on the rendered audio against the same text at neutral. `--independent` measures
again here, from the samples, with librosa's YIN in place of our pitch tracker.
"""

from __future__ import annotations

import sys

import numpy as np

from dialogue.types import Delivery
from voice.audio import to_float
from voice.speech import open_synthesizer
from voice.speech.prosody import loudness, speech_extent

TEXTS = """
Let me check where your parcel is.|It left our depot at noon and is out for delivery.
The replacement lamp ships tonight, free of charge.|You will have it on Wednesday before six.
I understand that two deliveries failed last week.|Would you rather have the money back?
Good news, the payment went through.|Nothing was taken from your account twice.
Please read me the code on the back of the box.|I have that as seven, four, one, nine.
Your contract ends on the last day of June.|If you cancel now, no fee is due.
I am so sorry for your loss.|There is nothing you need to send us today.
We have closed the account and stopped all letters.|First, unplug the router for ten seconds.
Then press the small button until the light turns green.|Tell me when the light is steady.
That charge is from the gym in Leeds, dated the third of May.|Do you recognise it?
Nobody can use the old card any more.|A new one is on its way to your home address.
You were right, and our invoice was wrong.|I have taken forty dollars off the next bill.
Somebody from the repair team will ring you between nine and eleven.|Is that a good time for you?
The blue jacket is sold out in your size.|I can hold the green one for you until Friday.
Could you spell your surname for me?|Thanks, that is much clearer now.
The technician needs about half an hour.|Somebody over eighteen has to be at home.
I would be confused by that letter as well.|It says the price rises, but yours does not.
Your points never expire.|They are worth twelve pounds in any of our shops.
I have put a note on the file, so you need not explain this again.|You will get a text in a minute.
The flight leaves two hours later than planned.|Your seat and your meal stay the same.
We could not find that reference.|It should have eight characters, starting with a letter.
The deposit goes back to the card that you paid with.|Banks usually take three working days.
I cannot change the address once the van is loaded.|What I can do is send it to a pickup shop.
Everything is settled.|Is there anything else on your mind?
Our shop on Market Street is open until eight tonight.|Take the receipt and the handle with you.
This is the third time that the boiler failed this winter.|I am booking our senior engineer for you.
The second payment was a hold, not a charge.|It drops off by itself within a day.
Yes, that is correct.|No, you do not need to sign anything.
I will stay on the line until the transfer is complete.|One moment, please.
Your parcel weighs four kilos and came from Oslo.|Customs released it this morning.
"""


def texts() -> list[str]:
    return [text.strip() for line in TEXTS.strip().splitlines() for text in line.split("|")]


def targets(count: int) -> list[Delivery]:
    rng = np.random.default_rng(2)
    return [
        Delivery(
            rate=float(rng.uniform(0.85, 1.15)),
            pitch_st=float(rng.uniform(-2, 2)),
            range=float(rng.uniform(0.8, 1.25)),
            level_db=float(rng.uniform(-3, 1)),
        )
        for _ in range(count)
    ]


def by_yin(pcm: np.ndarray) -> tuple[float, float, float, float]:
    """Seconds, mean F0 and its deviation in semitones, loudness; with librosa's pitch tracker."""
    import librosa

    samples = to_float(pcm)
    first, last = speech_extent(samples)
    f0 = librosa.yin(samples, fmin=75, fmax=450, sr=16_000, frame_length=1024, hop_length=160)
    power = librosa.feature.rms(y=samples, frame_length=1024, hop_length=160)[0][: len(f0)]
    zero = librosa.feature.zero_crossing_rate(samples, frame_length=1024, hop_length=160)[0]
    st = 12 * np.log2(f0[(power > 0.1 * power.max()) & (zero[: len(f0)] < 0.15)])
    st = st[np.abs(st - np.median(st)) < 9]
    return (last - first) / 16_000, float(st.mean()), float(st.std()), loudness(samples)


def main() -> None:
    independent = "--independent" in sys.argv
    synthesizer = open_synthesizer()
    errors = []
    paces = []
    for text, asked in zip(texts(), targets(60), strict=True):
        chunks = list(synthesizer.speak(text, asked))
        got = chunks[-1].achieved
        assert got is not None
        row = [got.rate, got.pitch_st, got.range, got.level_db]
        neutral = list(synthesizer.speak(text, Delivery()))
        if independent:
            spoken = by_yin(np.concatenate([chunk.samples for chunk in chunks]))
            plain = by_yin(np.concatenate([chunk.samples for chunk in neutral]))
            row = [
                plain[0] / spoken[0],
                spoken[1] - plain[1],
                spoken[2] / plain[2],
                spoken[3] - plain[3],
            ]
        plain_pace = neutral[-1].achieved
        assert plain_pace is not None
        paces.append(plain_pace.words_per_minute)
        errors.append(
            [
                100 * (row[0] / asked.rate - 1),
                row[1] - asked.pitch_st,
                100 * (row[2] / asked.range - 1),
                row[3] - asked.level_db,
            ]
        )
    synthesizer.close()
    table = np.array(errors)
    print(f"{len(table)} texts, {'librosa YIN' if independent else 'as recorded in turns'}")
    print(f"{'':8}{'mean abs':>10}{'bias':>8}{'p95':>8}{'worst':>8}   bar")
    bars = (("pace %", 2.0), ("pitch st", 0.2), ("range %", 5.0), ("level dB", 0.7))
    for column, (name, bar) in enumerate(bars):
        values = table[:, column]
        size = np.abs(values)
        print(
            f"{name:8}{size.mean():10.2f}{values.mean():8.2f}"
            f"{np.percentile(size, 95):8.2f}{size.max():8.2f}   {bar}"
        )
    print(f"neutral pace within sentences: {np.mean(paces):.0f} words a minute")


if __name__ == "__main__":
    main()
