"""`plait doctor`."""

import json

from cli.calls import Run


def test_doctor(plait: Run) -> None:
    code, out, _ = plait("doctor", "--json")
    found = json.loads(out)
    assert code == 0 and found["versions"]["torch"] != "absent" and found["model_hub"] in ("offline", "reachable")
    assert "devices" in plait("doctor")[2]
