"""What a policy would change, as one HTML page that needs nothing beside itself."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from ounce_edge.dry_run.foresight import Foresight

from ounce_services.policies.foresight_rows import HEAD, figure_rows, plan_rows, summary

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2733; background: #fff;
       max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #d5dbe1; text-align: left;
         vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bar { display: inline-block; height: .6rem; background: #5b7a99; min-width: 1px; }
.bar.after { background: #00796b; }
pre { background: #f3f5f7; padding: 1rem; overflow-x: auto; }
@media (prefers-color-scheme: dark) {
  body { color: #e6edf3; background: #12181f; } th, td { border-color: #34404c; }
  pre { background: #1c252f; } .bar { background: #8fb0cf; } .bar.after { background: #4db6ac; }
}
"""


def foresight_page(name: str, document: str, tasks: Mapping[str, Foresight]) -> str:
    """The page.

    Args:
        name: of the policy.
        document: its text.
        tasks: what it would change, by task.
    """
    parts = [_task(task, found) for task, found in tasks.items()]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Dry run of {escape(name)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        "<body><main>\n"
        f"<h1>Dry run of {escape(name)}</h1>\n"
        "<p>Recorded decisions, made again under this policy with what was believed at the time. "
        "Not foreseen: queues that would have been shorter or longer, and what labels would have "
        "taught.</p>\n"
        + "".join(parts)
        + f"<h2>The policy</h2>\n<pre>{escape(document)}</pre>\n</main></body>\n</html>\n"
    )


def _task(task: str, found: Foresight) -> str:
    changes = [(c.id, c.device, c.before, c.after, c.what) for c in found.changes]
    return (
        f"<h2>Task {escape(task)}</h2>\n<p>{escape(summary(task, found))}</p>\n"
        + _table(HEAD, figure_rows(found), numbers=True)
        + "<h3>Who answers</h3>\n"
        + _table(HEAD, plan_rows(found), numbers=True, bars=True)
        + (
            "<h3>Messages that change most</h3>\n"
            + _table(("message", "device", "as it was", "foreseen", "what changes"), changes)
            if changes
            else ""
        )
    )


def _table(
    head: Sequence[str], rows: Iterable[Sequence[str]], numbers: bool = False, bars: bool = False
) -> str:
    def cell(tag: str, k: int, text: str, scope: str = "") -> str:
        kind = ' class="n"' if numbers and k else ""
        return f"<{tag}{kind}{scope}>{text}</{tag}>"

    def heading(k: int, text: str) -> str:
        return cell("th", k, escape(text), ' scope="col"') if text else "<td></td>"

    lines = ["<tr>" + "".join(map(heading, range(len(head)), head)) + "</tr>"]
    for row in rows:
        cells = [escape(text) for text in row]
        if bars:
            cells[0] += "<br>" + _bar(row[1], "") + "<br>" + _bar(row[2], " after")
        first = cell("th", 0, cells[0], ' scope="row"')
        rest = "".join(cell("td", k, text) for k, text in enumerate(cells[1:], start=1))
        lines.append(f"<tr>{first}{rest}</tr>")
    return (
        '<div class="scroll" tabindex="0" role="group" aria-label="Table"><table>\n'
        + "\n".join(lines)
        + "\n</table></div>\n"
    )


def _bar(share: str, kind: str) -> str:
    return f'<span class="bar{kind}" style="width:{float(share.rstrip("%")) / 8:.2f}rem"></span>'
