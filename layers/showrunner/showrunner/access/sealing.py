"""Encrypt secrets that must be read again (WebSub secrets, tokens of connected accounts): AES-256-GCM.

The key is a data key of KMS. A sealed value is 2 bytes of length, the data key as KMS wrapped it, 12 bytes of
nonce, the ciphertext. `purpose` is bound to both: a value that is moved elsewhere can't be opened. An
execution environment makes one data key, and unwraps each other data key once.
"""

import base64
import os
from typing import Any

from showrunner import config
from showrunner.aws import rpc

NONCE_BYTES = 12

_own: dict[str, tuple[bytes, bytes]] = {}
_opened: dict[tuple[str, bytes], Any] = {}


def seal(plain: bytes, purpose: str, bound_to: str = "") -> bytes:
    """Return the encrypted value. `bound_to` names the row that it belongs to.

    Needs STAGE_KEY_ARN and kms:GenerateDataKey.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if purpose not in _own:
        answer = rpc.call(
            "kms",
            "GenerateDataKey",
            {
                "KeyId": config.setting("STAGE_KEY_ARN"),
                "KeySpec": "AES_256",
                "EncryptionContext": {"purpose": purpose},
            },
        )
        _own[purpose] = base64.b64decode(answer["Plaintext"]), base64.b64decode(answer["CiphertextBlob"])
    key, wrapped = _own[purpose]
    nonce = os.urandom(NONCE_BYTES)
    return (
        len(wrapped).to_bytes(2)
        + wrapped
        + nonce
        + AESGCM(key).encrypt(nonce, plain, f"{purpose}:{bound_to}".encode())
    )


def open_(sealed: bytes, purpose: str, bound_to: str = "") -> bytes:
    """Return the plain value. Needs kms:Decrypt.

    Raises cryptography's InvalidTag for a value that was changed or belongs to another row.
    """
    end = 2 + int.from_bytes(sealed[:2])
    wrapped, nonce, encrypted = sealed[2:end], sealed[end : end + NONCE_BYTES], sealed[end + NONCE_BYTES :]
    cipher = _opened.get((purpose, wrapped))
    if cipher is None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        answer = rpc.call(
            "kms",
            "Decrypt",
            {"CiphertextBlob": base64.b64encode(wrapped).decode(), "EncryptionContext": {"purpose": purpose}},
        )
        cipher = _opened[purpose, wrapped] = AESGCM(base64.b64decode(answer["Plaintext"]))
    return bytes(cipher.decrypt(nonce, encrypted, f"{purpose}:{bound_to}".encode()))
