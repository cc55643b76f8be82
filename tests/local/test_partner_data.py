"""local.partner_data <- synthetic reports: the same seed, the same files; and a month's files agree."""

import csv
import gzip
import os
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from local import partner_data, partner_state
from local.partner_data import CLAIMS, Owner, claim_rows
from local.platforms.google import Grant
from showrunner.access import service_accounts
from showrunner.platforms.content_id import ContentId
from showrunner.platforms.youtube_reporting import Reporting
from showrunner.reports import names, opening, rows

MONTH, DAY = date(2026, 10, 1), date(2026, 11, 28)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return what was written of an owner, by file name."""
    owner, folder = Owner("Synthetic_Records", 600, seed=7), tmp_path_factory.mktemp("partner")
    found = partner_data.write_month(owner, folder, MONTH, 600)
    found += partner_data.write_snapshots(owner, folder, DAY)
    return {each.path.name: each for each in found}


def content(path):
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def table(path):
    """Return a file's rows as dictionaries, without titles before the header and without broken rows."""
    lines = list(csv.reader(content(path).decode().splitlines(keepends=True)))
    header = next(place for place, row in enumerate(lines) if len(row) > 2)
    width = len(lines[header])
    return [dict(zip(lines[header], row, strict=True)) for row in lines[header + 1 :] if len(row) == width]


def test_the_same_seed_makes_the_same_files_and_another_seed_others(written, tmp_path):
    owner = Owner("Synthetic_Records", 600, seed=7)
    again = partner_data.write_month(owner, tmp_path / "again", MONTH, 600)
    other = partner_data.write_month(owner.__class__(owner.name, 600, 8), tmp_path / "other", MONTH, 600)

    for each, changed in zip(again, other, strict=True):
        assert each.path.read_bytes() == written[each.path.name].path.read_bytes()
        if "channel_adjustments" not in each.path.name:
            assert each.path.read_bytes() != changed.path.read_bytes()


def test_every_file_is_recognised_with_all_its_columns(written):
    kinds = set()
    for each in written.values():
        (payload,) = opening.payloads(each.path, each.path.name, each.path.parent)
        name = names.read(each.path.name)
        found = rows.recognise(payload, name.kind)
        kinds.add(found.kind.name)
        assert names.same_owner(name.owner, "Synthetic_Records", []), each.path.name
        assert found.mapping.unknown == (), each.path.name
    assert {"claims", "videos", "assets", "references", "conflicts", "payments", "ads_claims"} < kinds
    assert len(kinds) == len(written)


def test_each_row_is_read_or_refused_as_the_generator_says(written):
    for each in written.values():
        (payload,) = opening.payloads(each.path, each.path.name, each.path.parent)
        reader = rows.Rows(payload, rows.recognise(payload, names.read(each.path.name).kind), lambda _: None)
        for _ in reader.lines():
            pass
        counts = reader.counts
        assert (counts.rows, counts.rejected) == (each.rows, each.rejected), each.path.name


def test_the_money_adds_up_to_the_payment_summary(written):
    (summary,) = (each.path for name, each in written.items() if "payment_summary" in name)
    paid, total = {}, None
    for row in table(summary):
        amount = row["Partner Revenue (USD)"]
        amount = Decimal(amount.replace("(", "-").rstrip(")"))
        if row["Revenue Type"] == "Total":
            total = amount
        else:
            paid[row["Revenue Type"]] = amount
    assert sum(paid.values()) == total

    def earned(part, column="Partner Revenue", adjustment=None):
        (path,) = (each.path for name, each in written.items() if part in name)
        # A row that can't be read has a word in place of a number.
        found = [row for row in table(path) if "unknown" not in row.values()]
        if adjustment:
            found = [row for row in found if row["Adjustment Type"] == adjustment]
        return sum(Decimal(row[column]) for row in found)

    cent = Decimal("0.01")
    for part in ("31_claim_raw", "31_asset_raw", "31_video_raw"):
        assert earned(part).quantize(cent) == paid["Ads Revenue"], part
    for adjustment in partner_data.ADJUSTMENTS:
        line = paid[f"Ads Revenue: {adjustment}"]
        assert earned("ADJ_claim_raw", adjustment=adjustment).quantize(cent) == line
        assert earned("ADJ_asset_raw", adjustment=adjustment).quantize(cent) == line
    premium = earned("red_label_rawdata_video") + earned("red_rawdata_video")
    assert premium.quantize(cent) == paid[partner_data.REVENUE["premium"]]
    shorts = earned("shorts_non_music_ads", "Net Partner Revenue (Post revshare)")
    assert shorts.quantize(cent) == paid[partner_data.REVENUE["shorts_ads"]]


def test_about_one_row_of_a_hundred_changes_from_day_to_day():
    owner = Owner("Synthetic_Records", 10_000)
    before = {row[0]: row for row in partner_data.claim_rows(owner, DAY)}
    after = {row[0]: row for row in partner_data.claim_rows(owner, date(2026, 11, 29))}

    changed = sum(after[key] != before[key] for key in after.keys() & before.keys())
    assert len(before) == len(after) == 10_000
    assert 90 <= changed <= 110
    assert len(before.keys() - after.keys()) == 10


def test_the_output_says_that_it_is_synthetic(written, tmp_path, capsys):
    arguments = [str(tmp_path), "--month", "2026-10", "--day", "2026-11-28", "--rows", "20"]
    assert partner_data.main(arguments) == 0

    assert partner_data.NOTE in capsys.readouterr().out
    assert (tmp_path / "2026-10" / "SYNTHETIC.txt").read_text().strip() == partner_data.NOTE
    (summary,) = (each.path for name, each in written.items() if "payment_summary" in name)
    assert all(row["Notes"] == "Synthetic data" for row in table(summary)[:-1])


def test_the_stand_ins_for_youtube_know_what_the_files_say(platforms, tmp_path):
    owner, day, made_at = (
        Owner("Synthetic", 60, seed=3),
        date(2026, 10, 20),
        datetime(2026, 10, 23, tzinfo=UTC),
    )
    email, token, base = "somebody@example.com", f"ya29.{uuid.uuid4().hex}", os.environ["GOOGLE_URL"]
    reports = partner_state.write_reports(owner, tmp_path, [day], made_at)
    platforms.learn(
        {
            "rights": partner_state.content_id(owner, "owner-id", email, day),
            "reporting": partner_state.reporting("owner-id", reports),
        }
    )
    platforms.sign_ins.access_tokens[token] = Grant(email, list(service_accounts.SCOPES))

    claims = [dict(zip(CLAIMS, row, strict=True)) for row in claim_rows(owner, day)][:50]
    found = ContentId(base, token, "owner-id").list_claims([claim["claim_id"] for claim in claims])
    same = ("claim_id", "video_id", "asset_id", "claim_status")
    assert {(each.id, each.video_id, each.asset_id, each.status.upper()) for each in found.values()} == {
        tuple(claim[name] for name in same) for claim in claims
    }
    assert {each.policy["policy_id"] for each in found.values()} == {"S0000001"}

    api = Reporting(base, token, "owner-id")
    written = {each.report_type: each.written.path for each in reports}
    jobs = {job.report_type: job for job in api.list_jobs()}
    assert jobs.keys() == written.keys()
    for type_, job in jobs.items():
        (report,) = api.list_reports(job.id)
        # The 20th began at seven o'clock UTC on YouTube's clock, in summer.
        assert (report.start_at, report.end_at) == (
            datetime(2026, 10, 20, 7, tzinfo=UTC),
            datetime(2026, 10, 21, 7, tzinfo=UTC),
        )
        assert gzip.decompress(api.download(report)) == gzip.decompress(written[type_].read_bytes())
