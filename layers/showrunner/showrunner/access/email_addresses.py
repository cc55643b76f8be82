"""The one rule for email addresses: which ones we accept, and how they are stored."""


def stored(address: str) -> str:
    """Return an address as it is stored and compared: lower case, its domain in ASCII.

    Raises ValueError with what is wrong. Only ASCII is allowed before the @, because SES sends to nothing
    else. So no other character can become one of another person's address.
    """
    # Imported here: few routes take an address, and the import takes 40 ms.
    from email_validator import EmailNotValidError, validate_email

    name = address.rpartition("@")[0]
    if name and not name.isascii():
        raise ValueError(
            "must have only ASCII characters before the @, because we can't send email to others"
        )
    try:
        checked = validate_email(address, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise ValueError("is no address that can receive email; write it like name@example.com") from error
    return str(checked.ascii_email).lower()
