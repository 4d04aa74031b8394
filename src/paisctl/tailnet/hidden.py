"""A text that shows itself only where somebody asks for it in so many words."""

from __future__ import annotations


class Hidden:
    """A credential. Printing, formatting or logging it shows that there is one, and no more."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "(hidden)"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a credential is not written to files")

    def reveal(self) -> str:
        """The text itself."""
        return self._text
