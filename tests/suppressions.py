"""SES's suppression list, which moto doesn't have."""

import json
import re

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response


def suppression_list(httpserver: HTTPServer) -> dict[str, str]:
    """Serve a list of three addresses; return it as a dict of reasons by address that may be changed."""
    addresses = {"gone@example.com": "BOUNCE", "angry@example.com": "COMPLAINT", "old@example.com": "BOUNCE"}

    def refuse(code: str, status: int) -> Response:
        return Response("{}", status, headers={"x-amzn-errortype": code}, content_type="application/json")

    def list_(request: Request) -> Response:
        token = request.args.get("NextToken", "")
        if token and token not in addresses:
            return refuse("InvalidNextTokenException", 400)
        rest = sorted(address for address in addresses if address > token)
        size = int(request.args["PageSize"])
        page = [
            {"EmailAddress": each, "Reason": addresses[each], "LastUpdateTime": 1_790_000_000}
            for each in rest[:size]
        ]
        body = {"SuppressedDestinationSummaries": page}
        return Response(json.dumps(body | ({"NextToken": rest[size - 1]} if len(rest) > size else {})))

    def remove(request: Request) -> Response:
        address = request.path.rpartition("/")[2]
        return Response("{}") if addresses.pop(address, None) else refuse("NotFoundException", 404)

    path = "/v2/email/suppression/addresses"
    httpserver.expect_request(path, method="GET").respond_with_handler(list_)
    each = re.compile(f"{path}/.+")
    httpserver.expect_request(each, method="DELETE").respond_with_handler(remove)
    return addresses
