"""A real Apache Kafka that asks who comes, and lets nobody do what no ACL grants."""

from collections.abc import Sequence
from pathlib import Path

from tests.support.kafka.apache_kafka import ApacheKafka
from tests.support.kafka.certificates import Authority
from tests.support.process.child import free_port

HOST = "localhost"
"""The only name in the broker's certificate: under 127.0.0.1 it is not to be trusted."""


class SecureKafka(ApacheKafka):
    """Its `bootstrap_servers` are open, to administrators alone; others come by these:

    Attributes:
        scram: TLS, SCRAM-SHA-512.
        mutual: TLS with certificates of both sides; a user is called as its certificate's subject.
        oauth: TLS, OAUTHBEARER; any unsigned token is believed.
        authority: signs the broker's certificate, and those that clients need.
    """

    def __init__(self, folder: Path, passwords: dict[str, str]) -> None:
        """Prepare a broker; nothing runs yet.

        Args:
            folder: for certificates.
            passwords: by user of SCRAM.

        Raises:
            KafkaUnavailableError: this machine can't run Kafka.
            OpensslMissingError: it can't make certificates.
        """
        self.authority = Authority(folder)
        pair = self.authority.sign("broker", host=HOST)
        self._pem = folder / "broker-with-key.pem"
        self._pem.write_text(pair.key.read_text() + pair.certificate.read_text())
        self._format_options: Sequence[str] = [
            word
            for user, password in passwords.items()
            for word in ("--add-scram", f"SCRAM-SHA-512=[name={user},password={password}]")
        ]
        self.scram, self.mutual, self.oauth = (f"{HOST}:{free_port()}" for _ in range(3))
        super().__init__(runs_shortly=True)

    def _properties(self) -> dict[str, object]:
        properties = super()._properties()
        of_us = {"SCRAM": self.scram, "MUTUAL": self.mutual, "OAUTH": self.oauth}
        listeners = [f"{name}://{where}" for name, where in of_us.items()]
        login = "org.apache.kafka.common.security"
        return {
            **properties,
            "listeners": ",".join([str(properties["listeners"]), *listeners]),
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
            "SCRAM:SASL_SSL,MUTUAL:SSL,OAUTH:SASL_SSL",
            "inter.broker.listener.name": "PLAINTEXT",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": "User:ANONYMOUS",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self._pem,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.authority.certificate,
            "listener.name.mutual.ssl.client.auth": "required",
            "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.scram.scram-sha-512.sasl.jaas.config": (
                f"{login}.scram.ScramLoginModule required;"
            ),
            "listener.name.oauth.sasl.enabled.mechanisms": "OAUTHBEARER",
            "listener.name.oauth.oauthbearer.sasl.jaas.config": (
                f"{login}.oauthbearer.OAuthBearerLoginModule required"
                ' unsecuredLoginStringClaim_sub="broker";'
            ),
            "listener.name.oauth.oauthbearer.sasl.server.callback.handler.class": (
                f"{login}.oauthbearer.internals.unsecured"
                ".OAuthBearerUnsecuredValidatorCallbackHandler"
            ),
        }
