"""What GitHub's records look like."""

from common.seeded import NAMES, TEXTS, hexadecimal, iso_seconds, mix

OWNER = "acme"
# name -> what is peculiar about it: empty (409 on commits), blocked (451)
REPOSITORIES = {"alpha": None, "beta": None, "gamma": None, "bare": "empty", "vault": "blocked"}


def unique(table, row):
    """Ids are of all GitHub, numbers of a repository."""
    names = list(REPOSITORIES)
    repository = table.name.partition("/")[0]
    return (names.index(repository) if repository in names else 0) * 1000000 + row.number


def login(bits):
    return {"login": "user-%d" % (bits % 40), "id": bits % 40 + 1, "type": "User"}


def stamps(row):
    return {"created_at": iso_seconds(row.created_ms), "updated_at": iso_seconds(row.updated_ms)}


def repository(table, row, names):
    name = names[(row.number - 1) % len(names)]
    bits = table.bits(row)
    return {"id": row.number, "name": name, "full_name": f"{OWNER}/{name}", "owner": {"login": OWNER, "id": 1}, "private": False,
            "archived": bits & 7 == 0, "stargazers_count": bits >> 8 & 1023, "default_branch": "main", "pushed_at": iso_seconds(row.updated_ms),
            **stamps(row)}


def is_pull(table, row):
    return mix(table.seed, "pull", row.number) % 3 == 0


def issue(table, row, base):
    """An entry of /issues: pull requests are among them and have `pull_request`."""
    bits = table.bits(row)
    record = {"id": 10000 + unique(table, row), "number": row.number, "title": f"Issue {row.number}", "body": TEXTS[bits % len(TEXTS)], "user": login(bits >> 4),
              "state": ("open", "closed")[bits >> 16 & 1], "labels": [{"id": n, "name": f"label-{n}"} for n in range(bits >> 20 & 3)],
              "comments": bits >> 24 & 7, "closed_at": iso_seconds(row.updated_ms) if bits >> 16 & 1 else None, **stamps(row)}
    if is_pull(table, row):
        record["pull_request"] = {"url": f"{base}/pulls/{row.number}"}
    return record


def pull(table, row):
    bits = table.bits(row)
    return {"id": 50000 + unique(table, row), "number": row.number, "title": f"Issue {row.number}", "state": ("open", "closed")[bits >> 16 & 1],
            "user": login(bits >> 4), "draft": bits >> 17 & 1 == 1, "merged_at": iso_seconds(row.updated_ms) if bits >> 16 & 3 == 1 else None,
            "head": {"sha": hexadecimal(40, table.seed, "head", row.number, row.version)}, **stamps(row)}


def review(table, row, count):
    bits = mix(table.seed, "review", row.number, count)
    return {"id": unique(table, row) * 100 + count, "user": login(bits), "body": TEXTS[bits % len(TEXTS)], "state": ("APPROVED", "COMMENTED")[bits >> 8 & 1],
            "submitted_at": iso_seconds(row.created_ms + count * 60000)}


def comment(table, row, base, issues):
    bits = table.bits(row)
    return {"id": 900000 + unique(table, row), "issue_url": f"{base}/issues/{bits % max(issues, 1) + 1}", "body": TEXTS[bits % len(TEXTS)], "user": login(bits >> 8),
            **stamps(row)}


def commit(table, row):
    bits = table.bits(row)
    person = {"name": NAMES[bits & 7], "email": f"user-{bits % 40}@example.com", "date": iso_seconds(row.created_ms)}
    return {"sha": hexadecimal(40, table.seed, table.name, row.number), "commit": {"message": TEXTS[bits % len(TEXTS)], "author": person,
                                                                                   "committer": person}, "author": login(bits), "parents": []}


def branch(table, row):
    bits = table.bits(row)
    return {"name": "main" if row.number == 1 else f"topic/{row.number}", "protected": row.number == 1,
            "commit": {"sha": hexadecimal(40, table.seed, table.name, bits), "url": "https://api.github.com/commits"}}


def release(table, row):
    bits = table.bits(row)
    return {"id": 3000 + unique(table, row), "tag_name": f"v1.{row.number}", "name": f"Release {row.number}", "draft": False, "prerelease": bits & 7 == 0,
            "created_at": iso_seconds(row.created_ms), "published_at": iso_seconds(row.created_ms)}


def run(table, row):
    bits = table.bits(row)
    return {"id": 80000 + unique(table, row), "name": "ci", "status": "completed", "conclusion": ("success", "failure")[bits & 1], "run_number": row.number,
            "run_attempt": row.version + 1, **stamps(row)}


def star(table, row):
    return {"starred_at": iso_seconds(row.created_ms), "user": {"login": f"fan-{row.number}", "id": 5000 + row.number, "type": "User"}}


def event(table, row):
    bits = table.bits(row)
    return {"id": str(60000000 + unique(table, row)), "type": ("PushEvent", "IssuesEvent")[bits & 1], "actor": login(bits >> 4), "public": True,
            "created_at": iso_seconds(row.created_ms)}


def member(table, row):
    return {"login": f"user-{row.number}", "id": row.number, "type": "User", "site_admin": False}


def team(table, row):
    return {"id": 400 + row.number, "slug": f"team-{row.number}", "name": f"Team {row.number}", "privacy": "closed"}
