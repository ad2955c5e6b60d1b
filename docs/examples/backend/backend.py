"""A backend client of SMART Backend Services (private_key_jwt): it gets an access token with its own key and reads with it.

Needs: pip install pyjwt cryptography. Usage: python3 backend.py FHIR-BASE CLIENT-ID KEY.pem "SCOPES" "SEARCH"
"""
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

import jwt


def fetch(address, form=None, token=None):
    request = urllib.request.Request(address, data=urllib.parse.urlencode(form).encode() if form else None)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        return json.load(refused)


def main(base, client, key_file, scope, search):
    smart = fetch(base + "/.well-known/smart-configuration")
    with open(key_file, encoding="ascii") as file:
        key = file.read()
    # The assertion is a JWT that says who the client is, signed RS384 with its key.
    claims = {"iss": client, "sub": client, "aud": smart["token_endpoint"], "jti": str(uuid.uuid4()), "exp": int(time.time()) + 240}
    token = fetch(smart["token_endpoint"], {
        "grant_type": "client_credentials", "scope": scope,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode(claims, key, "RS384", headers={"kid": "backend"}),
    })
    if "access_token" not in token:
        sys.exit("no token: " + token.get("error_description", ""))
    print(json.dumps(fetch(base + "/" + search, token=token["access_token"])))


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
