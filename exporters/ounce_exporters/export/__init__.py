"""From a fitted model to a verified artifact: graph, calibration, parity, card."""
