"""The page of a ladder: `report.html`, with every plot inside."""
