"""Put a file under a pull request as a comment, in place of the one from the run before.

    python comment.py FILE NUMBER

For GitHub and Gitea alike: both set GITHUB_API_URL and GITHUB_REPOSITORY; TOKEN is given.
"""

import json
import os
import sys
import urllib.request
from pathlib import Path
from typing import Any

MARKER = "<!-- paisctl plan -->"  # by which our own comment is known
PAGE = 50  # comments; Gitea gives no more at once


def main() -> None:
    file, number = sys.argv[1:]
    body = f"{MARKER}\n{Path(file).read_text('utf-8')}"
    comment = own_comment(number)
    if comment is None:
        ask("POST", f"issues/{number}/comments", {"body": body})
    else:
        ask("PATCH", f"issues/comments/{comment}", {"body": body})


def own_comment(number: str) -> int | None:
    """The comment that an earlier run made; None if there is none among the first thousand."""
    for page in range(1, 1000 // PAGE + 1):
        # GitHub calls the size of a page per_page, Gitea limit.
        query = f"page={page}&per_page={PAGE}&limit={PAGE}"
        comments = ask("GET", f"issues/{number}/comments?{query}")
        for comment in comments:
            if comment["body"].startswith(MARKER):
                return int(comment["id"])
        if len(comments) != PAGE:  # the last page, or all that there are
            return None
    return None


def ask(method: str, path: str, body: object = None) -> Any:
    base = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}"
    request = urllib.request.Request(  # noqa: S310 - the server that runs this
        f"{base}/{path}",
        None if body is None else json.dumps(body).encode(),
        {
            "Authorization": f"token {os.environ['TOKEN']}",
            "Accept": "application/json",
            "Content-Type": "application/json",
        },
        method=method,
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return json.load(answer)


if __name__ == "__main__":
    main()
