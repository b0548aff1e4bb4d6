"""ServiceAccounts' tokens: made, bound, checked, and refused once they do not hold any more."""

import base64
import json
import stat

import pytest

from drumroll.apiserver.gate import Security
from drumroll.apiserver.tokens import ISSUER, BadToken, Signer
from drumroll.objects.wire import ANONYMOUS, User
from tests.apiserver.server import PODS, Server, pod

pytestmark = pytest.mark.asyncio

ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
SECRETS = "/api/v1/namespaces/default/secrets"
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


async def account(server, name="a"):
    return await server.made("POST", ACCOUNTS, {"metadata": {"name": name}})


async def token(server, name="a", **spec):
    return (await server.made("POST", f"{ACCOUNTS}/{name}/token", {"spec": spec}))["status"]["token"]


async def bear(server, text, method="POST", path=WHO, body=None):
    body = {} if body is None and method == "POST" else body
    return await server.call(method, path, body, user=ANONYMOUS, authorization=f"Bearer {text}")


def claims(text):
    part = text.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


async def test_a_token_says_who_bears_it(server):
    made = await account(server)
    status, answer = await bear(server, await token(server))
    found = answer["status"]["userInfo"]
    assert status == 201
    assert (found["username"], found["uid"]) == ("system:serviceaccount:default:a", made["metadata"]["uid"])
    assert found["groups"] == ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]


async def test_what_a_token_states(server):
    made = await account(server)
    stated = claims(await token(server, expirationSeconds=600, audiences=["vault"]))
    assert (stated["iss"], stated["aud"], stated["sub"]) == (ISSUER, ["vault"], "system:serviceaccount:default:a")
    assert (stated["exp"] - stated["iat"], stated["nbf"]) == (600, stated["iat"])
    assert stated["kubernetes.io"]["serviceaccount"] == {"name": "a", "uid": made["metadata"]["uid"]}


async def test_a_token_ends_when_it_says(server):
    await account(server)
    text = await token(server, expirationSeconds=600)
    server.clock.forward(599)
    assert (await bear(server, text))[0] == 201
    server.clock.forward(2)
    assert (await bear(server, text))[0] == 401


async def test_a_token_for_others_is_none_for_us(server):
    await account(server)
    assert (await bear(server, await token(server, audiences=["vault"])))[0] == 401


@pytest.mark.parametrize("part", [0, 1, 2])
async def test_a_token_that_was_changed_is_none(server, part):
    await account(server)
    parts = (await token(server)).split(".")
    parts[part] = parts[part][:-2] + ("AA" if parts[part][-2:] != "AA" else "BB")
    assert (await bear(server, ".".join(parts)))[0] == 401


@pytest.mark.parametrize("text", ["x", "a.b.c", "...", "e30.e30.e30", "é.é.é", "x" * 10_000])
async def test_what_is_no_token_is_refused(server, text):
    assert (await bear(server, text))[0] == 401


async def test_a_token_without_a_signature_is_none(server):
    await account(server)
    _, payload, _ = (await token(server)).split(".")
    head = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    assert (await bear(server, f"{head}.{payload}."))[0] == 401


async def test_another_cluster_s_token_is_none(server):
    await account(server)
    text = Signer().sign(claims(await token(server)))
    assert (await bear(server, text))[0] == 401


async def test_a_token_dies_with_its_pod(server):
    await account(server)
    made = await server.made("POST", PODS, pod("p", serviceAccountName="a"))
    bound = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": made["metadata"]["uid"]}
    text = await token(server, boundObjectRef=bound)
    status, answer = await bear(server, text)
    assert status == 201
    assert answer["status"]["userInfo"]["extra"]["authentication.kubernetes.io/pod-name"] == ["p"]
    await server.made("DELETE", f"{PODS}/p?gracePeriodSeconds=0")
    assert (await bear(server, text))[0] == 401
    await server.made("POST", PODS, pod("p", serviceAccountName="a"))  # another one of that name
    assert (await bear(server, text))[0] == 401


async def test_a_token_dies_with_its_secret_and_with_its_account(server):
    await account(server)
    await server.made("POST", SECRETS, {"metadata": {"name": "s"}})
    bound = await token(server, boundObjectRef={"apiVersion": "v1", "kind": "Secret", "name": "s"})
    free = await token(server)
    await server.made("DELETE", f"{SECRETS}/s")
    assert ((await bear(server, bound))[0], (await bear(server, free))[0]) == (401, 201)
    await server.made("DELETE", f"{ACCOUNTS}/a")
    assert (await bear(server, free))[0] == 401
    await account(server)
    assert (await bear(server, free))[0] == 401


@pytest.mark.parametrize(
    ("code", "spec", "message"),
    [
        (422, {"expirationSeconds": 599}, "may not specify a duration less than 10 minutes"),
        (422, {"expirationSeconds": 2**32 + 1}, "may not specify a duration larger than 2^32 seconds"),
        (404, {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "gone"}}, 'pods "gone" not found'),
        (
            400,
            {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "other"}},
            "different serviceaccount name",
        ),
        (400, {"boundObjectRef": {"apiVersion": "v1", "kind": "Service", "name": "s"}}, "cannot bind token"),
        (409, {"boundObjectRef": {"apiVersion": "v1", "kind": "Secret", "name": "s", "uid": "x"}}, "does not match"),
    ],
)
async def test_what_cannot_be_asked_for(server, code, spec, message):
    await account(server)
    await account(server, "default")
    await server.made("POST", PODS, pod("other"))
    await server.made("POST", SECRETS, {"metadata": {"name": "s"}})
    assert message in await server.refused(code, "POST", f"{ACCOUNTS}/a/token", {"spec": spec})


async def test_tokens_are_for_those_who_may_make_them(server):
    await account(server)
    jane = User("jane", ("system:authenticated",))
    assert (await server.call("POST", f"{ACCOUNTS}/a/token", {"spec": {}}, user=jane))[0] == 403
    assert (await server.call("POST", f"{ACCOUNTS}/gone/token", {"spec": {}}))[0] == 404


async def test_a_review_of_a_token(server):
    await account(server)
    text = await token(server)
    status = (await server.made("POST", REVIEWS, {"spec": {"token": text}}))["status"]
    assert (status["authenticated"], status["audiences"]) == (True, [ISSUER])
    assert status["user"]["username"] == "system:serviceaccount:default:a"
    for spec in ({"token": text + "x"}, {"token": text, "audiences": ["vault"]}):
        status = (await server.made("POST", REVIEWS, {"spec": spec}))["status"]
        assert ("authenticated" not in status, status["user"], bool(status["error"])) == (True, {}, True)


async def test_the_key_outlives_the_process_and_is_nobody_else_s(tmp_path, server):
    file = tmp_path / "sa.key"
    text = Signer(file).sign({"a": 1})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Signer(file).verify(text) == {"a": 1}
    with pytest.raises(BadToken):
        Signer(tmp_path / "other.key").verify(text)


async def test_others_can_check_a_signature_by_the_published_key(server):
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    await account(server)
    text = await token(server)
    configuration = await server.made("GET", "/.well-known/openid-configuration")
    assert (configuration["issuer"], configuration["jwks_uri"]) == (ISSUER, f"{ISSUER}/openid/v1/jwks")
    (key,) = (await server.made("GET", "/openid/v1/jwks"))["keys"]

    def number(part):
        return int.from_bytes(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))

    public = ec.EllipticCurvePublicNumbers(number(key["x"]), number(key["y"]), ec.SECP256R1()).public_key()
    signed, _, signature = text.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    both = (int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    public.verify(encode_dss_signature(*both), signed.encode(), ec.ECDSA(hashes.SHA256()))


async def test_a_pod_gets_a_token_volume_unless_somebody_says_no(server):
    await account(server, "default")
    await server.made("POST", ACCOUNTS, {"metadata": {"name": "quiet"}, "automountServiceAccountToken": False})
    spec = (await server.made("POST", PODS, pod("p")))["spec"]
    (volume,) = spec["volumes"]
    (mount,) = spec["containers"][0]["volumeMounts"]
    assert mount == {
        "name": volume["name"],
        "readOnly": True,
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
    }
    assert volume["name"].startswith("kube-api-access-")
    kinds = [next(iter(source)) for source in volume["projected"]["sources"]]
    assert (kinds, volume["projected"]["defaultMode"]) == (["serviceAccountToken", "configMap", "downwardAPI"], 420)
    for name, more in [
        ("no", {"automountServiceAccountToken": False}),
        ("quiet", {"serviceAccountName": "quiet"}),
    ]:
        assert "volumes" not in (await server.made("POST", PODS, pod(name, **more)))["spec"]
    loud = pod("loud", serviceAccountName="quiet", automountServiceAccountToken=True)
    assert len((await server.made("POST", PODS, loud))["spec"]["volumes"]) == 1
    own = pod("own", volumes=[{"name": "v", "emptyDir": {}}])
    own["spec"]["containers"][0]["volumeMounts"] = [{"name": "v", "mountPath": mount["mountPath"]}]
    assert [v["name"] for v in (await server.made("POST", PODS, own))["spec"]["volumes"]] == ["v"]


async def test_a_pod_of_an_account_that_is_not_there_is_refused(server):
    await account(server, "default")
    message = await server.refused(403, "POST", PODS, pod("p", serviceAccountName="gone"))
    assert message == (
        'pods "p" is forbidden: error looking up service account default/gone: serviceaccount "gone" not found'
    )


async def test_an_account_that_pulls_gives_its_secrets_to_its_pods(server):
    await server.made("POST", ACCOUNTS, {"metadata": {"name": "default"}, "imagePullSecrets": [{"name": "r"}]})
    assert (await server.made("POST", PODS, pod("p")))["spec"]["imagePullSecrets"] == [{"name": "r"}]


async def test_a_token_of_a_restarted_server_holds(tmp_path):
    first = Server(security=Security(account_key=tmp_path / "sa.key"))
    await first.api.prepare()
    await account(first)
    text = await token(first)
    second = Server(first.store, security=Security(account_key=tmp_path / "sa.key"))
    assert (await bear(second, text))[0] == 201
    assert (await bear(Server(first.store), text))[0] == 401
