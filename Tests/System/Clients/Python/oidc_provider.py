"""The OpenID provider of the sign-in test: oidc-provider-mock from PyPI, with Authlib's own check of PKCE.

oidc-provider-mock ignores PKCE, so this file adds the extension of Authlib, on which it is built. Everything else is
theirs: the pages, the codes, the tokens, the keys.

Prints its address, and serves until its standard input ends.
"""

import sys
import threading

import oidc_provider_mock._app as provider
from authlib.oauth2.rfc7636 import CodeChallenge
from oidc_provider_mock._storage import User
from werkzeug.serving import make_server

challenges = {}


class Challenge(CodeChallenge):
    """Takes S256 alone, and remembers the challenge of each code."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]

    def get_authorization_code_challenge(self, authorization_code):
        return challenges[authorization_code.code][0]

    def get_authorization_code_challenge_method(self, authorization_code):
        return challenges[authorization_code.code][1]


class Grant(provider.AuthorizationCodeGrant):
    # The console is a public client: it has no secret.
    TOKEN_ENDPOINT_AUTH_METHODS = ["none"]

    def __init__(self, request, server):
        super().__init__(request, server)
        Challenge(required=True)(self)

    def save_authorization_code(self, code, request):
        super().save_authorization_code(code, request)
        data = request.payload.data
        challenges[code] = (data.get("code_challenge"), data.get("code_challenge_method"))


provider.AuthorizationCodeGrant = Grant
app = provider.app(
    require_nonce=True,
    user_claims=[
        User(sub="anna-17", claims={"preferred_username": "anna", "groups": ["lab-ops"]}),
        User(sub="gus-3", claims={"preferred_username": "gus", "groups": ["guests"]}),
    ],
)
app.debug = False
server = make_server("127.0.0.1", 0, app, threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"provides on http://127.0.0.1:{server.server_port}", flush=True)
sys.stdin.read()
