"""Charges of a bill, as rows of a FOCUS file."""

import csv
import io

CHARGE = {
    "BillingPeriodStart": "2026-10-01T00:00:00Z",
    "BillingPeriodEnd": "2026-11-01T00:00:00Z",
    "ChargePeriodStart": "2026-10-05T00:00:00Z",
    "ChargePeriodEnd": "2026-10-05T01:00:00Z",
    "ChargeCategory": "Usage",
    "ServiceCategory": "Compute",
    "ServiceName": "Virtual Machines",
    "SubAccountId": "42",
    "ResourceId": "vm-1",
    "RegionId": "eu-1",
    "Tags": '{"cluster": "prod-eu"}',
    "BillingCurrency": "USD",
    "BilledCost": "1.25",
    "EffectiveCost": "1.00",
}


def charges(*changes):
    """Text of a CSV file; None takes a column out of all rows."""
    full = [{**CHARGE, **change} for change in changes]
    names = [name for name in full[0] if all(row[name] is not None for row in full)]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(full)
    return text.getvalue()
