"""Apply every file's change to MiniStack, in the required order."""

from typing import Any

from ministack import app as ministack

from . import (
    batch,
    batch_cloudformation,
    browser_guard,
    callers,
    cloudformation_adoption,
    dynamodb_ttl,
    http_api_bodies,
    http_api_proxy,
    inert_resources,
    lambda_cloudformation,
    lambda_runtime,
    logs,
    mail,
    persistence,
    s3_bucket_settings,
    sam_parameters,
    sessions,
    stepfunctions_clocks,
    stepfunctions_errors,
    stepfunctions_executions,
    stepfunctions_integrations,
    stepfunctions_restart,
    stepfunctions_scopes,
    stepfunctions_variables,
    websocket_api,
)
from .expected import expect
from .settings import Settings

expect(ministack, "_HEALTH_PATHS")


class Engine:
    def __init__(self, settings: Settings) -> None:
        logs.copy_to(settings.home / "logs" / "functions")
        given_keys = callers.Callers(settings.data / "callers.json", sessions.register)
        lambda_runtime.install(settings, given_keys)
        lambda_cloudformation.install()
        sam_parameters.install()
        self.batch = batch.install(settings, given_keys)
        batch_cloudformation.install()
        # From the inside out: limits around MiniStack's states, clocks around those, scopes around whole
        # executions.
        stepfunctions_variables.install()
        stepfunctions_errors.install()
        stepfunctions_clocks.install()
        stepfunctions_scopes.install()
        stepfunctions_executions.install()
        stepfunctions_restart.install(settings.data / "state" / "running.json")
        stepfunctions_integrations.install(self.batch)
        http_api_bodies.install()
        http_api_proxy.install()
        websocket_api.install()
        inert_resources.install()
        mail.install(settings)
        dynamodb_ttl.install()
        s3_bucket_settings.install()
        self.saver = persistence.install(settings)
        cloudformation_adoption.install()
        self.saver.start()
        # /health belongs to the user's APIs; MiniStack's own is /_ministack/health.
        ministack._HEALTH_PATHS = tuple(path for path in ministack._HEALTH_PATHS if path != "/health")

        self._application = browser_guard.guarded(http_api_proxy.with_joined_headers(ministack.app))
        if settings.calls:
            self._application = callers.recorded(self._application, settings.calls)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._application(scope, receive, send)

    def stop(self) -> None:
        """Stop everything that runs, so that nothing waits for it, and save the state."""
        self.batch.scheduler.stop()
        lambda_runtime.stop_all()
        self.saver.stop()
