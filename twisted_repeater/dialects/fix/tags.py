"""The numbers of the fields that every message may have, and of the fields that hold data."""

from __future__ import annotations

__all__ = ["DATA_FIELDS", "HEADER", "LENGTH_FIELDS", "SECRETS", "TRAILER"]

USUAL = (8, 9, 35, 49, 56, 34, 52, 43, 122, 97, 50, 57, 142, 143, 115, 116, 144, 128, 129, 145, 90, 91, 212, 213)
RARE = (347, 369, 370, 627, 628, 629, 630, 1128, 1129, 1156)
HEADER: frozenset[int] = frozenset(USUAL + RARE)
"""The fields of the standard header, in all versions."""
TRAILER: frozenset[int] = frozenset((93, 89, 10))
"""The fields of the standard trailer."""
DATA_FIELDS: dict[int, int] = {
    90: 91,
    93: 89,
    95: 96,
    212: 213,
    348: 349,
    350: 351,
    352: 353,
    354: 355,
    356: 357,
    358: 359,
    360: 361,
    362: 363,
    364: 365,
    445: 446,
    618: 619,
    621: 622,
    1184: 1185,
    1277: 1278,
    1280: 1281,
    1282: 1283,
    1397: 1398,
    1401: 1402,
    1403: 1404,
    1468: 1469,
}
"""The field with a length, and the field right behind it whose value has so many bytes, whatever they are."""
LENGTH_FIELDS: dict[int, int] = {data: length for length, data in DATA_FIELDS.items()}
"""The field with a length of each field that holds data."""
SECRETS: tuple[int, ...] = (554, 925, 1402, 1404)
"""Password, NewPassword, EncryptedPassword, EncryptedNewPassword."""
