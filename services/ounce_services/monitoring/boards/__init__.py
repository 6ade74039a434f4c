"""The dashboards: what an SRE asks, and the expressions that answer it."""

from ounce_services.monitoring.boards.cost import COST
from ounce_services.monitoring.boards.decisions import DECISIONS
from ounce_services.monitoring.boards.delivery import DELIVERY
from ounce_services.monitoring.boards.devices import DEVICES
from ounce_services.monitoring.boards.front import FRONT
from ounce_services.monitoring.boards.gateway import GATEWAY
from ounce_services.monitoring.boards.model import MODEL
from ounce_services.monitoring.boards.overview import OVERVIEW
from ounce_services.monitoring.boards.task import TASK
from ounce_services.monitoring.boards.tenant import TENANT
from ounce_services.monitoring.boards.worker import WORKER

BOARDS = (OVERVIEW, TENANT, TASK, MODEL, WORKER, DECISIONS, DELIVERY, DEVICES, FRONT, GATEWAY, COST)

__all__ = ["BOARDS"]
