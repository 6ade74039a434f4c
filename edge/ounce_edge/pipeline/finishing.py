"""What becomes of a group of requests that the models were called for."""

from ounce_schemas.errors import Reason

from ounce_edge.models.execution import Outcome
from ounce_edge.pipeline.answering import Answering
from ounce_edge.pipeline.clocks import Clocks
from ounce_edge.pipeline.job import Job
from ounce_edge.pipeline.rejecting import Rejecting
from ounce_edge.pipeline.reports import ModelCall, Report
from ounce_edge.pipeline.waiting import Waiting
from ounce_edge.wire.records import Publish


class Finishing:
    """Learns from groups that were run, and has their answers published.

    Args:
        waiting: takes back requests that another model is to answer.
        answering: publishes predictions.
        rejecting: publishes dead letters.
        clocks: say how long that takes.
    """

    def __init__(
        self, waiting: Waiting, answering: Answering, rejecting: Rejecting, clocks: Clocks
    ) -> None:
        self._waiting = waiting
        self._answering = answering
        self._rejecting = rejecting
        self._clocks = clocks

    def finish(self, job: Job, outcome: Outcome, publish: Publish, report: Report) -> None:
        """Learn from a group that was run, and publish its predictions; what a model fails on waits
        for another one, or becomes dead letters where none is left."""
        began_s, began_processor_s = self._clocks.steady(), self._clocks.processor()
        taken, plans, watch = job.taken, job.edition.plans, job.edition.watch
        permitted = job.route.permitted
        taken.settle()
        watch.blame(outcome)
        report.incidents += watch.learn_outcome(job.group.plan, outcome, permitted)
        report.calls += [ModelCall.of(c, plans.models[c.model]) for c in outcome.calls]
        report.escalated += outcome.escalated
        for answered in outcome.answered:
            rejected = self._answering.publish(job, outcome, answered, publish, report)
            self._rejecting.reject(rejected, publish, report)
        for failure in outcome.failures:
            if job.explains:  # the model may answer all the same
                self._waiting.give_back(taken, failure.items, job.route.plain)
                continue
            if failure.is_models_fault and watch.others_serve(failure.model, permitted):
                self._waiting.give_back(taken, failure.items)
                continue
            why = f"model {plans.models[failure.model].name} {failure.text}"
            report.unanswered[job.route.routing.version] += len(failure.items)
            reason = Reason.MODEL_CRASHED if failure.is_crash else Reason.MODEL_FAILED
            self._rejecting.reject_failed(taken, failure.items, reason, why, publish, report)
        if len(outcome.put_off):
            self._waiting.give_back(taken, outcome.put_off)
        plans.overhead.observe(
            len(taken.batch),
            (self._clocks.steady() - began_s) * 1e3,
            (self._clocks.processor() - began_processor_s) * 1e3,
        )
