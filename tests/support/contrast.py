"""Contrast of colours, as the Web Content Accessibility Guidelines define it."""

ENOUGH = 4.5
"""Of text, by WCAG 2.2."""
Colour = tuple[float, float, float]
"""Red, green and blue, each in [0, 1]."""


def contrast(one: Colour, other: Colour) -> float:
    """From 1, none, to 21."""
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def colour_of(text: str) -> Colour:
    """Of `#rgb` or `#rrggbb`."""
    digits = text[1:] if len(text) == 7 else "".join(2 * c for c in text[1:])
    red, green, blue = (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return red, green, blue


def blended(upper: Colour, lower: Colour, opacity: float) -> Colour:
    """One over another."""
    red, green, blue = (opacity * a + (1 - opacity) * b for a, b in zip(upper, lower, strict=True))
    return red, green, blue


def luminance(colour: Colour) -> float:
    """Relative, in [0, 1]."""
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
