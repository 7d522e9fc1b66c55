"""Every credential of azure-identity that the built-in authority serves, one after the other.

Each gets a token as a user's program would, and the token calls the API. One line each: `ok - ...` or `not ok - ...`.
"""

import base64
import json
import os
import pathlib
import re
import sys
import threading
import traceback

import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    AzureCliCredential,
    AzurePowerShellCredential,
    CertificateCredential,
    ClientAssertionCredential,
    ClientSecretCredential,
    DefaultAzureCredential,
    DeviceCodeCredential,
    EnvironmentCredential,
    InteractiveBrowserCredential,
    ManagedIdentityCredential,
    OnBehalfOfCredential,
    UsernamePasswordCredential,
    WorkloadIdentityCredential,
)
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

FACTS = json.loads(pathlib.Path(sys.argv[1]).read_text())
FOLDER = pathlib.Path(sys.argv[1]).parent
URL, PLAIN_URL = FACTS["url"], FACTS["plain_url"]
APPLICATION, USER, IDENTITY = FACTS["application"], FACTS["user"], FACTS["identity"]
OWN = f"{URL}/.default"
PUBLIC = "https://management.azure.com/.default"
CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
failures = 0


def check(name):
    def run(test):
        global failures
        before = dict(os.environ)
        try:
            test()
            print(f"ok - identity: {name}", flush=True)
        except Exception:
            failures += 1
            print(f"not ok - identity: {name}", flush=True)
            for line in traceback.format_exc().splitlines():
                print(f"    {line}", flush=True)
        finally:
            os.environ.clear()
            os.environ.update(before)

    return run


def expect_good(credential, owner, *scopes):
    for scope in scopes or (OWN, PUBLIC):
        token = credential.get_token(scope).token
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        assert claims["oid"] == owner["object_id"], claims
        answer = requests.get(
            f"{PLAIN_URL}/api/2.0/mlflow/experiments/get?experiment_id=0",
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text


def environment(**variables):
    os.environ.update({"AZURE_AUTHORITY_HOST": URL, "AZURE_TENANT_ID": "adfs", **variables})


@check("a secret from the environment")
def _():
    environment(AZURE_CLIENT_ID=APPLICATION["app_id"], AZURE_CLIENT_SECRET=APPLICATION["secret"])
    expect_good(EnvironmentCredential(), APPLICATION)
    expect_good(DefaultAzureCredential(), APPLICATION)


@check("a secret at the tenant's own id, without instance discovery")
def _():
    tenant = requests.get(f"{URL}/adfs/.well-known/openid-configuration", timeout=30).json()["issuer"].split("/")[3]
    credential = ClientSecretCredential(
        tenant, APPLICATION["app_id"], APPLICATION["secret"], authority=URL, disable_instance_discovery=True
    )
    expect_good(credential, APPLICATION)


@check("a wrong secret is refused with its number")
def _():
    credential = ClientSecretCredential("adfs", APPLICATION["app_id"], "wrong", authority=URL)
    try:
        credential.get_token(OWN)
    except ClientAuthenticationError as error:
        assert "AADSTS7000215" in str(error), error
    else:
        raise AssertionError("a wrong secret was taken")


def certificate_parts():
    text = pathlib.Path(APPLICATION["certificate"]).read_bytes()
    key = serialization.load_pem_private_key(text, None)
    return key, x509.load_pem_x509_certificate(text)


@check("a certificate in PEM, from the environment")
def _():
    environment(AZURE_CLIENT_ID=APPLICATION["app_id"], AZURE_CLIENT_CERTIFICATE_PATH=APPLICATION["certificate"])
    expect_good(EnvironmentCredential(), APPLICATION)


@check("a certificate from many threads at once, with one assertion")
def _():
    credential = CertificateCredential("adfs", APPLICATION["app_id"], APPLICATION["certificate"], authority=URL)
    errors = []

    def get():
        try:
            expect_good(credential, APPLICATION)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=get) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors


@check("a certificate with its chain")
def _():
    credential = CertificateCredential(
        "adfs", APPLICATION["app_id"], APPLICATION["certificate"], authority=URL, send_certificate_chain=True
    )
    expect_good(credential, APPLICATION)


@check("a certificate in PEM under a password")
def _():
    key, certificate = certificate_parts()
    path = FOLDER / "locked.pem"
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"open sesame"),
    )
    path.write_bytes(locked + certificate.public_bytes(serialization.Encoding.PEM))
    environment(
        AZURE_CLIENT_ID=APPLICATION["app_id"],
        AZURE_CLIENT_CERTIFICATE_PATH=str(path),
        AZURE_CLIENT_CERTIFICATE_PASSWORD="open sesame",
    )
    expect_good(EnvironmentCredential(), APPLICATION)


@check("a certificate in PKCS#12 under a password")
def _():
    key, certificate = certificate_parts()
    path = FOLDER / "robot.pfx"
    path.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"robot", key, certificate, None, serialization.BestAvailableEncryption(b"open sesame")
        )
    )
    environment(
        AZURE_CLIENT_ID=APPLICATION["app_id"],
        AZURE_CLIENT_CERTIFICATE_PATH=str(path),
        AZURE_CLIENT_CERTIFICATE_PASSWORD="open sesame",
    )
    expect_good(EnvironmentCredential(), APPLICATION)


@check("a user name with a password")
def _():
    credential = UsernamePasswordCredential(
        CLI, USER["user_name"], USER["password"], authority=URL, tenant_id="adfs"
    )
    expect_good(credential, USER)


@check("a managed identity of App Service")
def _():
    os.environ.update(IDENTITY_ENDPOINT=f"{PLAIN_URL}/msi/token", IDENTITY_HEADER=IDENTITY["secret"])
    expect_good(ManagedIdentityCredential(), IDENTITY)
    expect_good(ManagedIdentityCredential(client_id=IDENTITY["app_id"]), IDENTITY)
    expect_good(DefaultAzureCredential(), IDENTITY)


@check("a managed identity of Azure Machine Learning")
def _():
    os.environ.update(MSI_ENDPOINT=f"{PLAIN_URL}/msi/token", MSI_SECRET=IDENTITY["secret"])
    expect_good(ManagedIdentityCredential(), IDENTITY)


@check("a managed identity of a virtual machine")
def _():
    os.environ.update(AZURE_POD_IDENTITY_AUTHORITY_HOST=PLAIN_URL)
    expect_good(ManagedIdentityCredential(), IDENTITY)


def on_path(tool):
    # No identity of a machine on the way to the developer's tools.
    environment(
        PATH=f"{FACTS['tools'][tool]}{os.pathsep}/usr/bin{os.pathsep}/bin",
        AZURE_POD_IDENTITY_AUTHORITY_HOST="http://127.0.0.1:1",
    )


@check("the token of a platform, whose issuer the application trusts")
def _():
    environment(AZURE_CLIENT_ID=APPLICATION["app_id"], AZURE_FEDERATED_TOKEN_FILE=FACTS["platform_token"])
    expect_good(WorkloadIdentityCredential(), APPLICATION)
    expect_good(DefaultAzureCredential(), APPLICATION)
    read = pathlib.Path(FACTS["platform_token"]).read_text
    expect_good(ClientAssertionCredential("adfs", APPLICATION["app_id"], read, authority=URL), APPLICATION)


@check("an exchange on behalf of a user is refused with its number")
def _():
    credential = OnBehalfOfCredential(
        "adfs", APPLICATION["app_id"], client_secret=APPLICATION["secret"], user_assertion="x", authority=URL
    )
    try:
        credential.get_token(OWN)
    except ClientAuthenticationError as error:
        assert "AADSTS70003" in str(error), error
    else:
        raise AssertionError("an exchange was made")


@check("Azure CLI, by itself and as a step of DefaultAzureCredential")
def _():
    on_path("az")
    expect_good(AzureCliCredential(), APPLICATION)
    expect_good(DefaultAzureCredential(), APPLICATION)


@check("Azure PowerShell, by itself and as a step of DefaultAzureCredential")
def _():
    on_path("pwsh")
    expect_good(AzurePowerShellCredential(), APPLICATION)
    expect_good(DefaultAzureCredential(), APPLICATION)


def approve(verification_uri, user_code, _expires_on):
    session = requests.Session()
    page = session.get(verification_uri, timeout=30)
    token = re.search(r'name="form_token" value="([^"]+)"', page.text)[1]
    form = {
        "form_token": token,
        "user_code": user_code,
        "username": USER["user_name"],
        "password": USER["password"],
    }
    answer = session.post(verification_uri, data=form, timeout=30)
    assert "The device is signed in" in answer.text, answer.text


@check("a device code, and what it gives is refreshed for another resource")
def _():
    prompts = []

    def prompt(*args):
        prompts.append(args)
        threading.Thread(target=approve, args=args).start()

    credential = DeviceCodeCredential(authority=URL, tenant_id="adfs", prompt_callback=prompt)
    expect_good(credential, USER)
    assert len(prompts) == 1, prompts


if FACTS["browser"] is None and "CI" not in os.environ:
    print("ok - identity: a browser # SKIP no Chromium on this machine", flush=True)
else:

    @check("a browser in which the user signs in")
    def _():
        expect_good(InteractiveBrowserCredential(authority=URL, tenant_id="adfs", timeout=90), USER)


sys.exit(1 if failures else 0)
