"""access/email_addresses.py: addresses as people have them."""

import pytest

from showrunner.access import email_addresses


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("Ada@Example.COM", "ada@example.com"),
        ("o'sullivan@example.com", "o'sullivan@example.com"),
        ("r&d+news@example.com", "r&d+news@example.com"),
        ("ada@bücher.example.com", "ada@xn--bcher-kva.example.com"),
        ("ada@xn--bcher-kva.example.com", "ada@xn--bcher-kva.example.com"),
        ("ada@почта.рф", "ada@xn--80a1acny.xn--p1ai"),
        ("ada@mail.xn--p1ai", "ada@mail.xn--p1ai"),
    ],
)
def test_addresses_that_people_have_are_accepted(written, stored):
    assert email_addresses.stored(written) == stored
    assert email_addresses.stored(stored) == stored


@pytest.mark.parametrize(
    "address",
    [
        "ada",
        "ada@",
        "@example.com",
        "ada@localhost",
        "erased-1@erased.invalid",
        "ada@example..com",
        "a b@example.com",
        '"a b"@example.com',
        "ada@[192.0.2.1]",
        "ada@192.0.2.1",
        "ada@example.com\n",
        "Ada <ada@example.com>",
        "ada@example.com,eve@example.com",
    ],
)
def test_what_can_not_receive_email_is_refused_with_an_example(address):
    with pytest.raises(ValueError, match="write it like name"):
        email_addresses.stored(address)


@pytest.mark.parametrize("name", ["jörg", "\u212aim", "用户", "ada\u200b"])
def test_an_address_that_we_can_not_send_to_is_refused_and_becomes_no_other(name):
    with pytest.raises(ValueError, match="only ASCII characters before the @"):
        email_addresses.stored(f"{name}@example.com")
