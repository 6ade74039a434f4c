"""What reading bytes as JSON may raise."""

import msgspec

NO_JSON = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
"""What msgspec's decoder raises for bytes that are no JSON document, or not of the type wanted."""
