"""Advice on public data: forecasts of learning curves, regret, family chosen early."""
