"""Word error rate of the recognisers, as the voice loop uses them.

    python benchmarks/wer.py [--data DIR] [--recognizer sphinx|whisper] [--model FOLDER]

Each turn is fed in 20 ms frames; `final()` is called at every pause of 200 ms, as the loop does
when it speculates, and once more at the end. Sets:

    samples       audio_samples/ in the clear
    telephone     audio_samples/ recorded on the telephone
    line          audio_samples/ in the clear, sent over a simulated 8 kHz mu-law line (SNR 25 dB)
    librispeech   LibriSpeech test-other, read books, in the clear and over the line   (--data)
    digits        Free Spoken Digit Dataset, five digits in a row, 8 kHz                (--data)

On audio_samples the language model is built twice: from the whole pack, and ("held out") without
the phrases of the pack that share four words in a row, or a whole sentence, with what a sample's
caller says. The held-out figure is the honest one: real callers do not read the pack.

Normaliser "spoken words": lower case, numbers in words, no punctuation, contractions written out
(I'm = I am), one spelling of all right, any more and okay.
"""

from __future__ import annotations

import argparse
import csv
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import jiwer
import numpy as np
import soundfile
import soxr
import yaml

from dialogue.packs import load_pack
from nlu.types import Language
from voice.recognition import choose
from voice.recognition.domain_text import DIGITS, words_of
from voice.recognition.sphinx import frames_of
from voice.recognition.training.telephone_line import telephone_line
from voice.types import FRAME_MS, RATE_HZ, Expectation, Pcm, Recognizer

SAMPLES = Path(__file__).parents[1] / "audio_samples"
PAUSE_MS = 200
_WRITTEN_OUT = (
    (r"\bcan't\b", "can not"), (r"\bcannot\b", "can not"), (r"\bwon't\b", "will not"),
    (r"n't\b", " not"), (r"'m\b", " am"), (r"'re\b", " are"), (r"'ve\b", " have"),
    (r"'ll\b", " will"), (r"\b(it|that|what|there|where|here|he|she|who|how)'s\b", r"\1 is"),
    (r"\balright\b", "all right"), (r"\banymore\b", "any more"), (r"\bok\b", "okay"),
)  # fmt: skip


@dataclass(frozen=True)
class Spoken:
    """A turn to recognise: what was said and int16 samples at 16 kHz."""

    text: str
    samples: Pcm
    expects: frozenset[str] = frozenset()


def spoken_words(text: str) -> str:
    """The normaliser."""
    plain = " ".join(words_of(text))
    for pattern, written in _WRITTEN_OUT:
        plain = re.sub(pattern, written, plain)
    return plain


def sample_turns(channel: str) -> Iterator[Spoken]:
    for path in sorted(SAMPLES.glob("*.yaml")):
        record = yaml.safe_load(path.read_text())
        if record.get("channel") != channel:
            continue
        audio, rate = soundfile.read(path.with_name(record["audio"]), dtype="float32")
        wide = soxr.resample(audio, rate, RATE_HZ)
        for turn in record["turns"]:
            piece = wide[(turn["start_ms"] - 300) * 16 : (turn["end_ms"] + 500) * 16]
            yield Spoken(turn["text"], as_pcm(piece))


def over_the_line(turns: Iterable[Spoken]) -> Iterator[Spoken]:
    random = np.random.default_rng(7)
    for turn in turns:
        heard = telephone_line(turn.samples / 32_768, random, band_hz=(300, 3_400), snr_db=25)
        yield replace(turn, samples=as_pcm(heard))


def librispeech(data: Path, limit: int) -> Iterator[Spoken]:
    with (data / "librispeech" / "clips.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["transcript"]][:limit]
    for row in rows:
        audio, _ = soundfile.read(data / "librispeech" / row["file"], dtype="float32")
        yield Spoken(row["transcript"], as_pcm(audio))


def digits(data: Path, limit: int) -> Iterator[Spoken]:
    dice = np.random.default_rng(3)
    files = sorted((data / "digits").glob("*.flac"))
    speakers = sorted({path.stem.split("_")[1] for path in files})
    for number in range(limit):
        speaker = speakers[number % len(speakers)]
        pieces, words = [np.zeros(2_400)], []
        for _ in range(5):
            digit = int(dice.integers(10))
            own = [p for p in files if p.stem.startswith(f"{digit}_{speaker}_")]
            audio, rate = soundfile.read(own[dice.integers(len(own))])
            pieces += [audio, np.zeros(int(dice.integers(400, 1_600)))]
            words.append(DIGITS[digit])
        narrow = np.concatenate([*pieces, np.zeros(3_200)])
        narrow += dice.standard_normal(len(narrow)) * 3e-4
        wide = soxr.resample(narrow, rate, RATE_HZ)
        yield Spoken(" ".join(words), as_pcm(wide), frozenset({"order_number"}))


def as_pcm(samples: np.ndarray) -> Pcm:
    return np.round(np.clip(samples, -1, 1) * 32_767).astype(np.int16)


def held_out(language: Language, texts: Iterable[str]) -> tuple[Language, int]:
    """The language without phrases that share four words in a row with `texts`."""
    said = list(texts)
    grams = {gram for text in said for gram in _grams(text)}
    sentences = {words_of(s) for text in said for s in re.split(r"[.!?]", text)}
    dropped = 0

    def kept(phrases: tuple[str, ...]) -> tuple[str, ...]:
        nonlocal dropped
        fine = tuple(p for p in phrases if words_of(p) not in sentences and not _grams(p) & grams)
        dropped += len(phrases) - len(fine)
        return fine

    reduced = replace(
        language,
        intents={name: kept(phrases) for name, phrases in language.intents.items()},
        phrase_bank={name: kept(phrases) for name, phrases in language.phrase_bank.items()},
    )
    return reduced, dropped


def _grams(text: str, size: int = 4) -> set[tuple[str, ...]]:
    words = words_of(text)
    return {words[i : i + size] for i in range(len(words) - size + 1)}


def measure(recognizer: Recognizer, turns: Iterable[Spoken], *, show: bool = False) -> str:
    said, heard, at_pause, last = [], [], [], []
    seconds, began = 0.0, time.process_time()
    for turn in turns:
        stream = recognizer.stream(Expectation(turn.expects))
        loud = np.abs(turn.samples.astype(np.int32)).max() * 0.03
        quiet_ms = 0
        for frame in frames_of(turn.samples):
            stream.accept(frame)
            quiet_ms = quiet_ms + FRAME_MS if frame.samples.std() < loud else 0
            if quiet_ms == PAUSE_MS:
                before = time.process_time()
                stream.final()
                at_pause.append(time.process_time() - before)
        before = time.process_time()
        text = stream.final().text
        last.append(time.process_time() - before)
        stream.close()
        seconds += len(turn.samples) / RATE_HZ
        said.append(spoken_words(turn.text))
        heard.append(spoken_words(text))
        if show and said[-1] != heard[-1]:
            print(f"    said  {said[-1]}\n    heard {heard[-1]}")
    used = time.process_time() - began
    words = sum(len(text.split()) for text in said)
    return (
        f"WER {jiwer.wer(said, heard):6.1%}  ({words} words, {seconds:.0f} s, "
        f"CPU/audio {used / seconds:.2f}, final() at a pause p50 {np.median(at_pause) * 1e3:.0f} "
        f"p95 {np.percentile(at_pause, 95) * 1e3:.0f} ms CPU, "
        f"at the end {np.median(last) * 1e3:.0f} ms)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--recognizer", default="sphinx", choices=["sphinx", "whisper"])
    parser.add_argument("--model")
    parser.add_argument("--pack", default="retail")
    parser.add_argument("--limit", type=int, default=100, help="turns of each set under --data")
    parser.add_argument("--only", nargs="*", help="sets to measure")
    parser.add_argument("--show", action="store_true", help="print what was heard wrongly")
    parser.add_argument("--cache-dir", type=Path)
    options = parser.parse_args()

    language = load_pack(options.pack).language()
    clear, phone = list(sample_turns("clear")), list(sample_turns("telephone"))
    reduced, dropped = held_out(language, [turn.text for turn in (*clear, *phone)])
    total = sum(len(p) for p in (*language.intents.values(), *language.phrase_bank.values()))

    def recognizer(of: Language) -> Recognizer:
        return choose(options.recognizer, of, options.model, options.cache_dir)

    fair, whole = recognizer(reduced), recognizer(language)
    print(f"{fair.name}; pack {options.pack}: {dropped} of {total} phrases held out")
    sets = [
        ("samples, held out", fair, clear),
        ("samples, whole pack", whole, clear),
        ("telephone, held out", fair, phone),
        ("telephone, whole pack", whole, phone),
        ("line, held out", fair, over_the_line(clear)),
    ]
    if options.data:
        read = list(librispeech(options.data, options.limit))
        sets += [
            ("librispeech", whole, read),
            ("librispeech over the line", whole, over_the_line(read)),
            ("digits", whole, digits(options.data, options.limit)),
        ]
    for name, engine, turns in sets:
        if not options.only or any(name.startswith(wanted) for wanted in options.only):
            print(f"{name:26} {measure(engine, turns, show=options.show)}", flush=True)


if __name__ == "__main__":
    main()
