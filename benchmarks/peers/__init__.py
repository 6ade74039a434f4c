"""Ounce beside what people run today: same messages, same model, same broker."""
