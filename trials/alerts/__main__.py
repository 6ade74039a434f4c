"""Each alert that pages somebody, made to fire by its fault; then its runbook is followed.

A real Prometheus with the rules that ship scrapes real workers, gateways and HTTP fronts, and a
real Alertmanager tells a pager. Windows and waiting times of the rules are 20 times shorter. While
an alert fires, each command of its runbook runs word for word: it has to work, and to show the
cause. Then the fault is mended, and the alert has to end.

Exit code 1 where that is not so.

Example: python -m trials.alerts --only OunceRequestsLost
"""

import re
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import click
import yaml

from benchmarks import results
from trials.alerts import of_others, of_workers
from trials.alerts.runbook import Runbook, Told
from trials.alerts.stand import Broken, Scene, Stand
from trials.alerts.watching import Pager, watching
from trials.chaos.broker import ChaosKafka

SCENES: Mapping[str, Callable[[Stand], Scene]] = {**of_workers.SCENES, **of_others.SCENES}


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", multiple=True, type=click.Choice([*SCENES]), help="Without any: all.")
@click.option("--show", is_flag=True, help="Print what the commands of the runbooks said.")
@results.models_option
def main(only: tuple[str, ...], show: bool, models: Path) -> None:
    """Run, and report."""
    n_faults = 0
    for alert in only or SCENES:
        began_s = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="ounce-alerts-") as folder:
            try:
                faults = _play(alert, Path(folder), models.resolve(), show)
            except Exception as e:  # one scene that does not work leaves the others
                faults = [f"{type(e).__name__}: {e}"]
        n_faults += len(faults)
        lasted_s = time.monotonic() - began_s
        click.echo(
            f"{alert:28} {'fires, and ends' if not faults else 'FAULT':16} {lasted_s:4.0f} s"
        )
        for fault in faults:
            click.echo(f"    {fault}")
    sys.exit(1 if n_faults else 0)


def _play(alert: str, folder: Path, models: Path, show: bool) -> list[str]:
    """What is wrong with one alert."""
    runbook = Runbook(folder)
    # A retention of ours would take time to be noticed: records are deleted by hand.
    with ChaosKafka() as kafka, watching(folder) as (prometheus, pager):
        Stand.make_topics(kafka.bootstrap_servers)
        stand = Stand(kafka, models, folder, prometheus, runbook)
        with closing(stand), closing(SCENES[alert](stand)) as scene:
            broken = next(scene)
            assert broken is not None
            faults = _told_rightly(alert, pager, runbook)
            told = runbook.diagnose(alert, {**stand.names(), **broken.names})
            if show:
                for one in told:
                    click.echo(f"$ {one.command}\n{one.text}")
            faults += _shows_the_cause(broken, told)
            scene.send(told)
            pager.wait_for(alert, "resolved")
            next(scene, None)
            return faults


def _told_rightly(alert: str, pager: Pager, runbook: Runbook) -> list[str]:
    """What is wrong with what the pager was told."""
    receiver, told = pager.wait_for(alert, "firing")
    texts = [told["annotations"][name] for name in ("summary", "description")]
    anchor = told["annotations"]["runbook_url"].partition("#")[2]
    faults = [] if receiver == "pager" else [f"{receiver} was told, not the pager"]
    faults += [f"{text!r} lacks a value" for text in texts if re.search("<no value>|  | $", text)]
    return faults + ([] if runbook.has(anchor) else [f"there is no runbook {anchor}"])


def _shows_the_cause(broken: Broken, told: list[Told]) -> list[str]:
    """What is wrong with the commands of the runbook."""
    faults = []
    for one in told:
        may_fail = any(one.command.startswith(begin) for begin in broken.fails)
        if (one.code != 0 or not one.text.strip()) and not may_fail:
            faults.append(f"{one.command}: exit code {one.code}: {one.text.strip() or 'nothing'}")
    if not re.search(broken.says, "".join(one.text for one in told)):
        faults.append(f"the runbook's commands do not show {broken.says!r}")
    return faults


def pages() -> set[str]:
    """Names of all alerts that page somebody."""
    rules = (Path(__file__).resolve().parents[2] / "services/prometheus/rules").glob("*.yaml")
    groups = [group for path in rules for group in yaml.safe_load(path.read_text())["groups"]]
    return {
        rule["alert"]
        for group in groups
        for rule in group["rules"]
        if rule.get("labels", {}).get("severity") == "page"
    }


if __name__ == "__main__":
    main()
