"""Faults in simulated time: series of Prometheus that are healthy, faulty, and healthy again, and
what alerts make of them."""

import json
import os
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
RULES = ROOT / "services" / "prometheus" / "rules"

Values = Callable[[bool, int], float | str]
"""A series' value from whether the fault lasts, and the number of steps since that changed."""


@dataclass(frozen=True)
class Counter:
    """Grows by so much a minute."""

    healthy: float = 0.0
    faulty: float = 0.0


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and the alert that has to tell."""

    alert: str
    series: Mapping[str, Values | Counter]
    within_min: float
    """From the fault's begin to the alert."""
    lasts_min: float
    ends_min: float
    """From the fault's end to the alert's."""
    severity: str | None = None
    is_silent: bool = False
    """Another alert tells it: this one must not."""


def restarts(is_faulty: bool, step: int) -> float:
    """When a process began that ends every four steps while there is a fault."""
    return is_faulty * step // 4


def gauge(healthy: float | str, faulty: float | str) -> Values:
    """One value or another; `stale` is a series that ends."""
    return lambda is_faulty, _: faulty if is_faulty else healthy


def ramp(by: float) -> Values:
    """Zero, and more at every step of the fault."""
    return lambda is_faulty, step: by * step if is_faulty else 0.0


@dataclass(frozen=True)
class Simulation:
    """A healthy fleet, and rules that look at it.

    Args:
        rules: names of the files of rules.
        healthy: every series of the fleet.
        step_s: between two scrapes, and two evaluations.
        healthy_min: before a fault: longer than the rules look back to tell of one.
        alert: whose objective's rules look; those of the others would take most of the time.
            By default all do.
    """

    rules: Sequence[str]
    healthy: Mapping[str, Values | Counter]
    step_s: int
    healthy_min: int
    alert: str = ""

    def run(self, faults: Iterable[Fault], folder: Path) -> subprocess.CompletedProcess[str]:
        """Ask promtool whether each alert is silent at first, fires in time, and ends."""
        return self._ask([self._test(fault) for fault in faults], folder)

    def rest(self, minutes: int, folder: Path) -> subprocess.CompletedProcess[str]:
        """Ask promtool whether all is silent for so long where there is no fault."""
        return self._ask([self._scene("", {}, minutes, (minutes, minutes))], folder)

    def is_silent(
        self,
        series: Mapping[str, Values | Counter],
        begins_min: float,
        lasts_min: float,
        minutes: int,
        folder: Path,
    ) -> subprocess.CompletedProcess[str]:
        """Ask promtool whether nobody is told of a fault that is no reason to."""
        scene = self._scene("", series, minutes, (begins_min, begins_min + lasts_min))
        firing = f'count_over_time(ALERTS{{alertstate="firing"}}[{minutes}m])'
        scene["promql_expr_test"] = [_asked(firing, minutes, [])]
        return self._ask([scene], folder)

    def _ask(
        self, scenes: Sequence[Mapping[str, Any]], folder: Path
    ) -> subprocess.CompletedProcess[str]:
        document = {
            "rule_files": [str(self._chosen(RULES / name, folder)) for name in self.rules],
            "evaluation_interval": f"{self.step_s}s",
            "tests": scenes,
        }
        path = folder / "rules.test.yaml"
        path.write_text(json.dumps(document))  # which is YAML as well
        return subprocess.run(
            ["promtool", "test", "rules", path],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
            env={**os.environ, "GOGC": "400"},  # fewer collections: a fifth of its time
        )

    def _chosen(self, path: Path, folder: Path) -> Path:
        """The file of rules, or what it holds of the objective that the alert is of."""
        groups = yaml.safe_load(path.read_text())["groups"]
        objectives = tuple(
            group["name"].rpartition("-alerts-")[2]
            for group in groups
            if any(rule.get("alert") == self.alert for rule in group["rules"])
        )
        if not objectives:
            return path
        chosen = [group for group in groups if group["name"].endswith(objectives)]
        (folder / path.name).write_text(json.dumps({"groups": chosen}))
        return folder / path.name

    def _test(self, fault: Fault) -> dict[str, Any]:
        begins = self.healthy_min
        ends = begins + fault.lasts_min
        total_min = ends + fault.ends_min
        severity = "" if fault.severity is None else f',severity="{fault.severity}"'
        firing = f'ALERTS{{alertname="{fault.alert}",alertstate="firing"{severity}}}'
        tells = _asked(f"count({firing}) > bool 0", begins + fault.within_min, [1])
        if fault.is_silent:
            ever = f"count_over_time({firing}[{round(60 * total_min)}s])"
            tells = _asked(ever, total_min, [])
        scene = self._scene(
            f"{fault.alert} {fault.severity or ''}", fault.series, total_min, (begins, ends)
        )
        scene["promql_expr_test"] += [
            tells,
            _asked(firing, total_min, []),
        ]
        return scene

    def _scene(
        self,
        name: str,
        series: Mapping[str, Values | Counter],
        total_min: float,
        fault_min: tuple[float, float],
    ) -> dict[str, Any]:
        """Series over time, and that nothing is told before the fault."""
        begins = round(fault_min[0])
        return {
            "name": name,
            "interval": f"{self.step_s}s",
            "input_series": [
                {"series": name, "values": self._values(values, fault_min, total_min)}
                for name, values in {**self.healthy, **series}.items()
            ],
            "promql_expr_test": [
                _asked(f"count_over_time(ALERTS[{begins}m])", begins - 1, []),
            ],
        }

    def _values(
        self, values: Values | Counter, fault_min: tuple[float, float], total_min: float
    ) -> str:
        begin, end = (round(60 * minute / self.step_s) for minute in fault_min)
        found: list[float | str] = []
        for i in range(round(60 * total_min / self.step_s) + 1):
            is_faulty = begin <= i < end
            if isinstance(values, Counter):
                a_minute = values.faulty if is_faulty else values.healthy
                last = float(found[-1]) if found else 0.0
                found.append(last + a_minute * self.step_s / 60)
            else:
                found.append(values(is_faulty, i - (begin if is_faulty else 0)))
        return " ".join(f"{v:.10g}" if isinstance(v, float | int) else v for v in found)


def _asked(expression: str, at_min: float, values: Sequence[float]) -> dict[str, Any]:
    samples = [{"labels": "{}", "value": value} for value in values]
    return {"expr": expression, "eval_time": f"{round(60 * at_min)}s", "exp_samples": samples}
