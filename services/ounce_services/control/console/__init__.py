"""The console: pages made on the server."""
