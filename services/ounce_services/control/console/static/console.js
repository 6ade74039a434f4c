// Without this a page would go on to show its last figures as if they were of this moment.
addEventListener("htmx:afterRequest", (event) => {
  document.getElementById("away").hidden = event.detail.successful;
});

// Rows would run away from who wants to open one. Where fingers point, nothing hovers.
const HELD = matchMedia("(hover: hover)").matches ? "table:hover, table:focus-within" : "table:focus-within";
addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt.id === "live" && event.detail.elt.querySelector(HELD)) event.preventDefault();
});
