"""The task `tickets`: which team an operator's message about a machine is for."""
