"""JSONata in Parallel states, and variables: branches and items read outer ones, their own assignments stay
inside, and what a state assigns is computed from the values before it.

https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html
"""

from typing import Any

from ministack.services import stepfunctions

from .expected import expect

Json = dict[str, Any]

expect(stepfunctions, "_run_parallel_branches", "state_def", "raw_input", "execution", "ctx")
expect(stepfunctions, "_run_sub_machine", "states", "start_at", "input_data", "execution", "ctx")
expect(stepfunctions, "_state_query_language", "state_def", "ctx")
expect(stepfunctions, "_apply_jsonata_arguments", "state_def", "raw_input", "ctx")
expect(stepfunctions, "_apply_jsonata_output", "state_def", "raw_input", "ctx", "result")
expect(stepfunctions, "_apply_state_assign", "state_def", "raw_input", "ctx", "result", "error_output")
expect(stepfunctions, "_apply_jsonata_template", "value", "raw_input", "ctx", "result", "error_output")
expect(stepfunctions, "_next_or_end", "state_def")


def install() -> None:
    run_branches, run_sub_machine = stepfunctions._run_parallel_branches, stepfunctions._run_sub_machine

    def branches(state: Json, raw_input: Any, execution: Json, ctx: Json) -> Any:
        if stepfunctions._state_query_language(state, ctx) != "JSONata":
            return run_branches(state, raw_input, execution, ctx)
        value = stepfunctions._apply_jsonata_arguments(state, raw_input, ctx)
        # Pass only the branches: MiniStack would look for JSONPath fields in the rest.
        results, _ = run_branches(
            {"Type": "Parallel", "Branches": state["Branches"], "End": True}, value, execution, ctx
        )
        output = stepfunctions._apply_jsonata_output(state, raw_input, ctx, result=results, default=results)
        stepfunctions._apply_state_assign(state, raw_input, ctx, result=results)
        return output, stepfunctions._next_or_end(state)

    def sub_machine(states: Json, start_at: str, value: Any, execution: Json, ctx: Json) -> Any:
        # A context per branch: branches run at the same time, each with its state and its task token.
        return run_sub_machine(
            states, start_at, value, execution, {**ctx, "variables": dict(ctx.get("variables") or {})}
        )

    def assign(
        state: Json, raw_input: Any, ctx: Json | None, result: Any = None, error_output: Any = None
    ) -> None:
        """Assign a state's variables at once: MiniStack shows each of them those before it."""
        if ctx is None or stepfunctions._state_query_language(state, ctx) != "JSONata":
            return
        # All are computed before the first one is stored.
        assigned = {
            name: stepfunctions._apply_jsonata_template(template, raw_input, ctx, result, error_output)
            for name, template in state.get("Assign", {}).items()
        }
        ctx.setdefault("variables", {}).update(assigned)

    stepfunctions._apply_state_assign = assign
    stepfunctions._run_parallel_branches, stepfunctions._run_sub_machine = branches, sub_machine
