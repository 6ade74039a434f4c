"""A server that speaks S3 and checks signatures: S3Proxy over a folder."""

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Self
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from tests.support.kafka.jars import jars_of, java
from tests.support.process.child import Child, free_port

_VERSION = "2.7.0"
_START_TIMEOUT_S = 90
KEY, SECRET, BUCKET = "test-key", "test-secret", "models"
_LOGGING = (
    '<configuration><appender name="A" class="ch.qos.logback.core.ConsoleAppender"><encoder>'
    "<pattern>%d %p %m%n</pattern></encoder></appender>"
    '<root level="WARN"><appender-ref ref="A"/></root></configuration>'
)


class S3Proxy:
    """A context manager. It has the bucket `BUCKET`, and knows one key.

    Raises:
        KafkaUnavailableError: this machine has no Java, or can't get the jars.
    """

    def __init__(self) -> None:
        self._java = java()
        self._jars = jars_of(f"S3Proxy {_VERSION}", [("org.gaul", "s3proxy", _VERSION)])
        self._port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="ounce-s3-"))
        (self._folder / "data" / BUCKET).mkdir(parents=True)
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"http://127.0.0.1:{self._port}"

    def environment(self, secret: str = SECRET) -> dict[str, str]:
        """What a client has to be told."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": "us-east-1",
        }

    def start(self) -> None:
        """Start it, and wait until it answers."""
        properties = self._folder / "s3proxy.properties"
        properties.write_text(
            f"s3proxy.endpoint={self.url}\ns3proxy.authorization=aws-v2-or-v4\n"
            f"s3proxy.identity={KEY}\ns3proxy.credential={SECRET}\n"
            "jclouds.provider=filesystem-nio2\njclouds.identity=none\njclouds.credential=none\n"
            f"jclouds.filesystem.basedir={self._folder / 'data'}\n"
        )
        logging = self._folder / "logback.xml"
        logging.write_text(_LOGGING)
        self._child = Child(
            [
                self._java, "-XX:TieredStopAtLevel=1", "-Xmx256m",
                f"-Dlogback.configurationFile={logging}",
                "-cp", f"{self._jars}{os.sep}*", "org.gaul.s3proxy.Main",
                "--properties", properties,
            ],
            log=self._folder / "log",
        )  # fmt: skip
        until_s = time.monotonic() + _START_TIMEOUT_S
        while not self._answers():
            if not self._child.running or time.monotonic() > until_s:
                raise RuntimeError(f"S3Proxy does not answer:\n{self._child.log_tail()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it; what it holds stays."""
        if self._child is not None:
            self._child.kill()

    def _answers(self) -> bool:
        try:
            with urlopen(self.url, timeout=5):
                return True
        except HTTPError:  # it asks for a key
            return True
        except (URLError, OSError):
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
