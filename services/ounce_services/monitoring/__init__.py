"""Rules, dashboards and pages for those who watch workers, made from `objectives.yaml`."""
