"""`load_pack`: a shipped pack by name, or any folder, as a validated `Pack`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dialogue.packs.checks import cross_check
from dialogue.packs.format import Pack, Phrases
from dialogue.packs.source import Location, Mistake, Source, read_yaml
from nlu.errors import AttuneError

FILES = ("intents", "actions", "phrases", "offers", "phrase_bank")
"""Parts of a pack with a file of their own beside `pack.yaml`."""

_SHIPPED = Path(__file__).parent


def shipped_packs() -> tuple[str, ...]:
    """The names of the packs that come with Attune."""
    return tuple(sorted(path.parent.name for path in _SHIPPED.glob("*/pack.yaml")))


def find_pack(name_or_dir: str | Path) -> Path:
    """The folder of a pack: a shipped name first, else a path.

    Raises:
        AttuneError: there is no such pack, or the folder holds no `pack.yaml`.
    """
    if str(name_or_dir) in shipped_packs():
        return _SHIPPED / str(name_or_dir)
    directory = Path(name_or_dir)
    if (directory / "pack.yaml").is_file():
        return directory.resolve()
    if directory.is_dir():
        raise AttuneError(f"the folder {directory} holds no pack.yaml; write one or name another")
    raise AttuneError(
        f"there is no pack {str(name_or_dir)!r}; use one of {', '.join(shipped_packs())}"
        " or the path of a folder with a pack.yaml"
    )


def load_pack(name_or_dir: str | Path) -> Pack:
    """Read and validate a pack. An unchanged pack is read once in a process.

    Raises:
        AttuneError: naming file, line, field and fix of the first mistake, and how many more.
    """
    directory = find_pack(name_or_dir)
    pack, mistakes = _read_unchanged(directory, _stamp(directory))
    if pack is None or mistakes:
        more = f" ({len(mistakes) - 1} more: attune packs check)" if len(mistakes) > 1 else ""
        raise AttuneError(f"pack {directory.name}: {mistakes[0]}{more}")
    return pack


def read_pack(directory: Path) -> tuple[Pack | None, tuple[Mistake, ...]]:
    """A pack with everything that is wrong with it; None when it cannot be used at all."""
    source = Source()
    read_yaml(directory / "pack.yaml", None, source)
    for part in FILES:
        path = directory / f"{part}.yaml"
        if path.is_file():
            read_yaml(path, part, source)
    if source.mistakes:
        return None, tuple(source.mistakes)
    try:
        pack = Pack.model_validate(source.data)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            _explain(detail, source)
        return None, _in_order(source.mistakes)
    pack = pack.model_copy(update={"phrases": (*pack.phrases, *_common_for(pack))})
    pack._directory = directory
    cross_check(pack, source)
    return pack, _in_order(source.mistakes)


def _common_for(pack: Pack) -> tuple[Phrases, ...]:
    """The common wordings of moves that the pack does not word in general itself.

    They are English; a pack in another language words every move.
    """
    if not pack.locale.startswith("en"):
        return ()
    own = {(entry.move, entry.problem) for entry in pack.phrases if entry.is_general}
    return tuple(entry for entry in _common() if (entry.move, entry.problem) not in own)


@lru_cache(maxsize=1)
def _common() -> tuple[Phrases, ...]:
    source = Source()
    read_yaml(_SHIPPED / "common.yaml", "phrases", source)
    return tuple(Phrases.model_validate(entry) for entry in source.data["phrases"])


@lru_cache(maxsize=16)
def _read_unchanged(
    directory: Path,
    stamp: tuple[tuple[str, int, int], ...],  # noqa: ARG001
) -> tuple[Pack | None, tuple[Mistake, ...]]:
    return read_pack(directory)


def _stamp(directory: Path) -> tuple[tuple[str, int, int], ...]:
    return tuple(
        (path.name, path.stat().st_mtime_ns, path.stat().st_size)
        for path in sorted(directory.iterdir())
        if path.suffix in {".yaml", ".sql"}
    )


def _in_order(mistakes: list[Mistake]) -> tuple[Mistake, ...]:
    """By file and line, one for each field: every branch of a union complains of the same."""
    ordered = sorted(mistakes, key=lambda mistake: (mistake.file, mistake.line, mistake.field))
    first: dict[tuple[str, int, str], Mistake] = {}
    for mistake in ordered:
        first.setdefault((mistake.file, mistake.line, mistake.field), mistake)
    return tuple(first.values())


def _explain(detail: Mapping[str, Any], source: Source) -> None:
    """A validator's error in an author's words."""
    location: Location = tuple(detail["loc"])
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        name = str(location[-1])
        fix = f"write `{name}:` here" if len(location) > 1 else f"add `{name}:`"
        source.complain(location[:-1], "is missing", fix, name)
    elif kind == "extra_forbidden":
        source.complain(location, "is no key of this entry", "remove it or correct its spelling")
    elif kind == "too_short":
        wanted, found = context["min_length"], context["actual_length"]
        source.complain(location, f"has {found} entries", f"write at least {wanted}")
    elif kind in {"enum", "literal_error"}:
        source.complain(
            location, f"{detail['input']!r} is not possible here", f"use {context['expected']}"
        )
    elif kind == "string_pattern_mismatch":
        source.complain(
            location,
            f"{detail['input']!r} has the wrong form",
            f"make it match {context['pattern']}",
        )
    elif kind == "string_type":
        source.complain(location, f"{detail['input']!r} is no text", "put it in quotes")
    elif kind.endswith("_type"):
        wanted = kind.removesuffix("_type").replace("model", "mapping").replace("tuple", "list")
        source.complain(location, "has the wrong shape", f"write a {wanted}")
    else:
        message = str(detail["msg"])
        source.complain(location, message[0].lower() + message[1:], "correct the value")
