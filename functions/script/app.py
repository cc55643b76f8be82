"""Step WriteScript: job document -> script.json.

Makes at most one paid call for each invocation; {"more": true, "next_usd"} asks for the next, which costs
`next_usd` at most.
"""

import json
from decimal import Decimal
from typing import Any

from showrunner import breakers, config
from showrunner.aws import s3, ssm
from showrunner.errors import AnswerRefused, ScriptRejected
from showrunner.platforms.language import ANSWER_TOKENS, Language
from showrunner.production import costs, files, planning, script, shots
from showrunner.production.job import Job
from showrunner.telemetry import entrypoint
from showrunner.videos import receipts


class AnotherCall(Exception):
    """The next paid call needs an invocation of its own, with `amount` (USD, the most it can cost) reserved.

    So a video that was cancelled or has no budget left stops between two calls.
    """

    def __init__(self, amount: Decimal) -> None:
        self.amount = amount


class Walk:
    """Asks the questions of a script in order.

    Each answer is stored under the hash of its question, so a repeated walk pays only for new questions.
    """

    def __init__(self, job: Job, reserved: Decimal | None) -> None:
        self.job = job
        self.reserved = reserved
        self.models = [
            config.setting("OPENAI_MODEL"),
            *filter(None, [config.setting("OPENAI_FALLBACK_MODEL", " ").strip()]),
        ]
        self.answered_by: list[str] = []
        self._called = False
        self._keys: list[str] = []

    def ask(self, question: script.Question) -> Any:
        """Return an answer that keeps every rule: of the first model, repaired by it, or of the second model.

        If only the length is wrong, return the answer that is closest to it. Raises ScriptRejected.
        """
        first = self._answer(self.models[0], question)
        found, breaches = script.read(question, first)
        answers = [found]
        tries = [
            (self.models[0], script.repair(question, first, breaches)),
            *((model, question) for model in self.models[1:]),
        ]
        for model, next_question in tries:
            if not breaches:
                break
            found, breaches = script.read(question, self._answer(model, next_question))
            answers.append(found)
        if breaches:
            close = script.closest(question, [each for each in answers if each is not None])
            if close is not None:
                return close
            # The refused answers go, or a retry would only read them again; what they cost stays in the
            # receipts.
            s3.remove(self._keys)
            raise ScriptRejected("; ".join(breaches[:5]))
        return found

    def _answer(self, model: str, question: script.Question) -> script.ModelAnswer:
        """Return the stored answer to a question, or ask for it. Raises AnswerRefused, AnotherCall."""
        name = files.digest(model, question.model_dump(mode="json"))
        key = files.product_key(self.job.organisation_id, "script", name, "json")
        product = s3.find_json(key)
        if product is None:
            product = self._call(model, question, key)
        if product.get("problem") in ("refused", "filtered"):
            # Kept with its problem: another try of the same question would only be paid for again.
            raise AnswerRefused(
                str(product["text"])[:500] or "The answer was stopped by the provider's content filter."
            )
        self._keys.append(key)
        self.answered_by.append(product["model"])
        return script.ModelAnswer(str(product["text"]), product.get("problem") == "truncated")

    def _call(self, model: str, question: script.Question, key: str) -> dict[str, Any]:
        sent = question.constant + question.prompt + json.dumps(question.schema_)
        amount = costs.most_for_answer(model, len(sent.encode()), ANSWER_TOKENS)
        if self._called or (self.reserved is not None and self.reserved < amount):
            raise AnotherCall(amount)
        self._called = True
        language = Language(ssm.secret("openai/api_key"), config.setting("OPENAI_BASE_URL"))
        with breakers.guard("openai", "answer"):
            answer = language.answer(
                model,
                question.shape.lower(),
                question.schema_,
                question.constant,
                question.prompt,
                self.job.organisation_id,
            )
        receipts.add(self.job.folder, costs.language_charge(answer.id, model, answer.usage))
        product = {"text": answer.text, "model": answer.model, "problem": answer.problem}
        s3.put_product_json(key, product)
        return product


def _write(walk: Walk) -> script.Script:
    job = walk.job
    edited = s3.find_json(files.edited_script_key(job.folder))
    if edited is not None:
        return script.Script.model_validate(edited)
    if job.manual_script:
        return planning.manual(job.manual_script, job.topic, job.language)
    first = walk.ask(script.question(job))
    if isinstance(first, script.Script):
        return first
    parts: list[script.Part] = []
    while len(parts) < len(first.parts):
        parts.append(walk.ask(script.part_question(job, first, parts)))
    return script.assemble(first, parts)


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    job = Job.model_validate(s3.get_json(files.job_key(event["folder"])))
    # Executions that began before a release reserve nothing; their machine never asks for it.
    reserved = Decimal(event["reserved_usd"]) if "reserved_usd" in event else None
    walk = Walk(job, reserved)
    try:
        written = planning.finished(_write(walk), job.language)
    except AnotherCall as call:
        return {"more": True, "next_usd": str(call.amount)}
    # Who wrote a script that was edited since is in the document of the attempt before.
    before = [] if walk.answered_by else (s3.find_json(files.script_key(job.folder)) or {}).get("models", [])
    document = {
        "script": written.model_dump(),
        "models": sorted({*walk.answered_by, *before}),
        "shots": [[shot.model_dump() for shot in scene] for scene in shots.of_script(written, job)],
    }
    s3.put_json(files.script_key(job.folder), document)
    return {"more": False, "scenes": list(range(len(written.passages))), "narrations": written.narrations}
