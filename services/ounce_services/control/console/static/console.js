// Without this a page would go on to show its last figures as if they were of this moment.
addEventListener("htmx:afterRequest", (event) => {
  document.getElementById("away").hidden = event.detail.successful;
});
