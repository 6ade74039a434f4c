"""Device and tenant of a caller, as its certificate names them."""

import ssl
from pathlib import Path

import pytest
from ounce_edge.front.certified import certified_headers
from ounce_edge.front.listening import Tls
from ounce_edge.front.settings import HttpSettings
from ounce_edge.front.statuses import NotAnsweredError

from tests.support.edge.stand_in_front import Client, StandIn, serve
from tests.support.kafka.certificates import Authority

DEVICE, TENANT = "ounce-device", "ce-tenant"


def certificate(**names: str) -> dict[str, object]:
    """As Python tells it: each part of the subject holds pairs."""
    return {"subject": tuple(((name, value),) for name, value in names.items())}


ACME = certificate(countryName="DE", organizationName="Acm\u00e9 & Co", commonName="room-7")
NO_TENANT = certificate(commonName="room-7")


def test_the_common_name_is_the_device_and_the_organization_the_tenant() -> None:
    expected = [(DEVICE, "room-7"), (TENANT, "Acm%C3%A9%20%26%20Co")]
    for said in ({}, dict(expected), {DEVICE: "room-7"}, {"ce-id": "1"}):
        assert certified_headers(ACME, said) == expected
    assert certified_headers(NO_TENANT, {}) == [(DEVICE, "room-7"), (TENANT, "")]


@pytest.mark.parametrize(
    ("known", "said", "text"),
    [
        (ACME, {DEVICE: "room-8"}, "ounce-device is 'room-8', the certificate is of 'room-7'"),
        (ACME, {TENANT: "rival"}, "ce-tenant is 'rival', the certificate is of 'Acm"),
        (NO_TENANT, {TENANT: "rival"}, "the certificate is of no tenant"),
        (certificate(organizationName="acme"), {}, "its subject needs a CN"),
        ({}, {}, "its subject needs a CN"),
    ],
)
def test_who_is_not_who_it_says_is_refused(
    known: dict[str, object], said: dict[str, str], text: str
) -> None:
    with pytest.raises(NotAnsweredError, match=text) as refused:
        certified_headers(known, said)
    assert refused.value.status == 403


@pytest.mark.parametrize("way", [{}, {"Prefer": "respond-async"}])
def test_a_request_bears_the_names_of_the_certificate_whatever_its_body_says(
    tmp_path: Path, way: dict[str, str]
) -> None:
    authority = Authority(tmp_path)
    own, caller = authority.sign("server", host="localhost"), authority.sign("room-7")
    files = {
        "tls_certificate": own.certificate,
        "tls_key": own.key,
        "tls_client_ca": authority.certificate,
    }
    of_server = Tls(HttpSettings(task=("digits",), kafka="nowhere:1", **files)).context
    trusting = ssl.create_default_context(cafile=str(authority.certificate))
    trusting.check_hostname = False
    trusting.load_cert_chain(caller.certificate, caller.key)

    async def test(stand: StandIn, client: Client) -> None:
        url = str(client.make_url("/v2/models/digits/infer")).replace("http://", "https://")
        forged = {DEVICE: "room-8", **way}
        async with client.session.post(url, data=b"1", headers=forged, ssl=trusting) as answer:
            assert (answer.status, "room-7" in await answer.text()) == (403, True)
        async with client.session.post(url, data=b"1", headers=way, ssl=trusting) as answer:
            assert answer.status < 300
        [record] = stand.sent
        assert (record.key, dict(record.headers)["ce_tenant"]) == (b"room-7", b"")
        assert "ce_source" not in dict(record.headers)

    serve(test, tls=of_server, device_from_certificate=True, **files)
