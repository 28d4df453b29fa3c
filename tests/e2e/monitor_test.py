"""Monitoring on real flights: clean days stay quiet, a column in another unit is found, named, and told."""

import http.server
import json
import re
import socketserver
import threading
import unittest

from factory import ROOT, VEGA, FactoryTest

PROJECT = "/api/v1/projects/default"
ENDPOINT = f"{PROJECT}/endpoints/late"
# Every tenth flight: about 1,650 a day. `weekday` is another one each day, which is no drift.
QUERY = """
select date, origin, destination, distance, hour(date) as departure_hour, dayofweek(date) as weekday,
  delay >= 15 as late
from (select *, row_number() over (order by date, origin, destination, distance, delay) as number from input)
where number % 10 = 0 and date < '2001-02-13'
"""


class Receiver(http.server.ThreadingHTTPServer):
    """Takes webhooks; the first one is refused, so that it must come again."""

    def __init__(self):
        self.taken, self.asked = [], 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked += 1
                self.send_response(200)
                self.end_headers()
                outer.taken.append(json.loads(body))

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Mailbox(socketserver.ThreadingTCPServer):
    """As much of a mail server as it takes to be given a message (RFC 5321)."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        self.messages = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(b"220 test\r\n")
                while line := self.rfile.readline():
                    verb = line.strip().upper()
                    if verb == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        text = b""
                        while (line := self.rfile.readline()) != b".\r\n":
                            text += line
                        outer.messages.append(text.decode())
                    if verb == b"QUIT":
                        self.wfile.write(b"221 bye\r\n")
                        return
                    self.wfile.write(b"250 ok\r\n")

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class MonitorTest(FactoryTest):
    def prepare(self):
        self.receiver, self.mailbox = Receiver(), Mailbox()
        self.addCleanup(self.receiver.server_close)
        self.addCleanup(self.receiver.shutdown)
        self.addCleanup(self.mailbox.server_close)
        self.addCleanup(self.mailbox.shutdown)
        config = self.write(
            "config.yaml",
            "allow_private_urls: true\n"
            f"smtp: {{url: 'smtp://127.0.0.1:{self.mailbox.server_address[1]}', from: factory@example.org}}\n",
        )
        self.command("dataset", "add", "flights", VEGA / "flights-3m.parquet", "--query", QUERY)
        self.command(
            *("train", "flights", "--target", "late", "--model", "late", "--time-column", "date", "--ignore", "date"),
            *("--where", "date < '2001-02-01'", "--trials", "2"),
        )
        self.command("deploy", "late")
        return self.server("--config", config)

    def send_day(self, server, day, change=None, limit=10000):
        where = f"date >= '2001-02-{day:02}' and date < '2001-02-{day + 1:02}'"
        page = server.request("GET", f"{PROJECT}/datasets/flights/versions/1/rows?limit={limit}&where={quote(where)}")
        self.assertEqual(page.status, 200, page.body)
        rows = rows_of(page.json())
        for first in range(0, len(rows), 500):
            part = rows[first : first + 500]
            ats = [row["date"] for row in part]
            inputs = [{k: v for k, v in row.items() if k not in ("date", "late")} for row in part]
            for row in inputs:
                if change:
                    change(row)
            answer = server.request("POST", ENDPOINT + ":predict", {"rows": inputs, "at": ats})
            self.assertEqual(answer.status, 200, answer.body)
        return len(rows)

    def check(self, server):
        answer = server.request("POST", ENDPOINT + ":check")
        self.assertEqual(answer.status, 200, answer.body)
        for stage in answer.json()["stages"]:
            self.assertTrue(stage["ok"], stage)

    def drifts(self, server):
        view = server.request("GET", ENDPOINT + "/monitor?from=2001-02-01").json()
        return {w["start"][:10]: w["versions"][0]["drift"] for w in view["windows"]}

    @unittest.skipUnless(VEGA.is_dir(), "left out: vendor/ has no flights")
    def test_a_shift_is_found_named_and_told(self):
        server = self.prepare()
        policy = server.request("GET", ENDPOINT + "/policy")
        hook = f"http://127.0.0.1:{self.receiver.server_address[1]}/hook"
        put = server.request(
            "PUT",
            ENDPOINT + "/policy",
            {"alerts": {"webhook": hook, "email": ["ops@example.org"]}},
            headers={"If-Match": policy.headers["ETag"]},
        )
        self.assertEqual(put.status, 200, put.body)
        counted = sum(self.send_day(server, day) for day in range(1, 9))
        self.check(server)
        self.assertEqual(server.request("GET", f"{PROJECT}/alerts").json()["alerts"], [])
        quiet = self.drifts(server)
        self.assertEqual({d: x["summary"] for d, x in quiet.items() if x["state"] == "confirmed"}, {})
        view = server.request("GET", ENDPOINT + "/monitor?from=2001-02-01").json()
        self.assertEqual(sum(w["rows"] for w in view["windows"]), counted)
        self.assertLessEqual({"quality", "estimate", "bias", "segments"}, set(view))

        def kilometres(row):
            row["distance"] = row["distance"] * 1.609

        counted += self.send_day(server, 9, kilometres) + self.send_day(server, 10, kilometres)
        counted += self.send_day(server, 11, limit=1)
        self.check(server)
        found = self.drifts(server)
        self.assertEqual(found["2001-02-10"]["state"], "confirmed", found["2001-02-10"]["summary"])
        self.assertIn("distance", found["2001-02-10"]["confirmed"])
        self.assertEqual(found["2001-02-10"]["since"], "2001-02-09T00:00:00Z")

        shown = self.command("alert", "list")
        self.assertIn("`distance`", shown)
        alert = self.command_json("alert", "list")["alerts"][0]
        self.assertEqual((alert["rule"], alert["state"]), ("drift", "firing"))
        self.until(lambda: self.receiver.taken and self.mailbox.messages)
        self.assertEqual(self.receiver.taken[0]["alert"]["id"], alert["id"])
        self.assertIn("To: ops@example.org", self.mailbox.messages[0])
        self.assertIn("what to do:", self.mailbox.messages[0])
        self.assertIn("acknowledged", self.command("alert", "ack", alert["id"]))
        self.assertIn("confirmed", self.command("monitor", "show", "late"))
        self.figures(server)

        server.kill()
        again = self.server()
        view = again.request("GET", ENDPOINT + "/monitor?from=2001-02-01").json()
        self.assertEqual(sum(w["rows"] for w in view["windows"]), counted, "what a round stored is kept")
        log = (self.folder / "home.log").read_text()
        self.assertNotIn("/hook", log)

    def figures(self, server):
        """The dashboard asks for nothing that /metrics does not have."""
        text = server.request("GET", "/metrics").body.decode()
        known = set(re.findall(r"^# TYPE (\S+)", text, re.M)) | set(re.findall(r"^(\w+)[{ ]", text, re.M))
        dashboard = json.loads((ROOT / "deploy/grafana/cromford.json").read_text())
        asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        self.assertGreater(len(asked), 10)
        for expression in asked:
            names = re.findall(r"cromford_\w+", expression)
            self.assertTrue(names, expression)
            self.assertEqual(set(names) - known, set(), expression)
        self.assertRegex(text, r'cromford_drift_confirmed\{[^}]*distribution="distance"\} 1')
        self.assertRegex(text, r'cromford_endpoint_request_duration_seconds_bucket\{[^}]*le="\+Inf"\} \d+')

    def until(self, happened):
        done = threading.Event()
        for _ in range(200):
            if happened():
                return
            done.wait(0.1)
        self.fail("it did not happen within 20 s")


def quote(text):
    return "".join(c if c.isalnum() else f"%{ord(c):02X}" for c in text)


def rows_of(page):
    names = [column if isinstance(column, str) else column["name"] for column in page.get("columns", [])]
    return [row if isinstance(row, dict) else dict(zip(names, row)) for row in page["rows"]]


if __name__ == "__main__":
    unittest.main()
