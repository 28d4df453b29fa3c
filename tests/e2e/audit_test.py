"""The audit log: every change has its entry, the log proves itself, and a forger is found. The verifier here is written
from RFC 6962/9162, RFC 8032 and the C2SP notes alone and shares nothing with the program."""

import base64
import hashlib
import json
import os
import random
import sqlite3
import stat
import threading
import time
import unittest

from factory import FactoryTest
from feedback_test import rows_of

API = "/api/v1/projects/default"
# The long version: CROMFORD_KILLS=1000.
KILLS = int(os.environ.get("CROMFORD_KILLS", "8"))

# --- Ed25519 verification by RFC 8032, section 6 ------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def add(a, b):
    first = (a[1] - a[0]) * (b[1] - b[0]) % P
    second = (a[1] + a[0]) * (b[1] + b[0]) % P
    third = 2 * a[3] * b[3] * D % P
    fourth = 2 * a[2] * b[2] % P
    e, f, g, h = second - first, fourth - third, fourth + third, second + first
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(factor, point):
    result = (0, 1, 1, 0)
    while factor > 0:
        if factor & 1:
            result = add(result, point)
        point = add(point, point)
        factor >>= 1
    return result


def decompress(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P != 0:
        x = x * SQRT_M1 % P
    assert (x * x - x2) % P == 0, "not a point"
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signature_holds(public, message, signature):
    key, r = decompress(public), decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    left, right = multiply(s, BASE), add(r, multiply(h, key))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


# --- RFC 6962 section 2.1 -----------------------------------------------------------------------


def leaf_hash(entry):
    return hashlib.sha256(b"\x00" + entry).digest()


def tree_hash(leaves):
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + tree_hash(leaves[:split]) + tree_hash(leaves[split:])).digest()


def root_by_inclusion(leaf, index, size, proof):
    """RFC 9162, section 2.1.3.2."""
    node, last, root = index, size - 1, leaf
    for other in proof:
        assert last > 0
        if node & 1 or node == last:
            root = hashlib.sha256(b"\x01" + other + root).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = hashlib.sha256(b"\x01" + root + other).digest()
        node, last = node >> 1, last >> 1
    assert last == 0
    return root


# --- C2SP signed notes --------------------------------------------------------------------------


def open_checkpoint(note, key):
    """(size, root) of a checkpoint that the key has signed."""
    name, key_id, encoded = key.split("+", 2)
    kind_and_public = base64.b64decode(encoded)
    assert kind_and_public[0] == 1
    assert key_id == hashlib.sha256(name.encode() + b"\n" + kind_and_public).hexdigest()[:8]
    text, signatures = note.split("\n\n")
    text += "\n"
    signed = [line.removeprefix("\u2014 ").split(" ") for line in signatures.splitlines()]
    blobs = [base64.b64decode(blob) for signer, blob in signed if signer == name]
    assert any(
        blob[:4].hex() == key_id and signature_holds(kind_and_public[1:], text.encode(), blob[4:]) for blob in blobs
    ), "no valid signature"
    origin, size, root = text.splitlines()[:3]
    assert origin == name
    return int(size), base64.b64decode(root)


class Export:
    """An export, read by its format's page."""

    def __init__(self, text):
        body, note = text.split("\n\n", 1)
        lines = body.split("\n")
        assert lines[0] == "cromford audit export 1"
        self.key = lines[1].removeprefix("key ")
        self.note = note
        self.entries = [line.split(" ", 2)[2] for line in lines[2:] if not line.startswith("personal ")]

    def verify(self):
        size, root = open_checkpoint(self.note, self.key)
        assert size == len(self.entries), (size, len(self.entries))
        assert root == tree_hash([leaf_hash(entry.encode()) for entry in self.entries])

    def parsed(self):
        return [json.loads(entry) for entry in self.entries]


class AuditTest(FactoryTest):
    def line(self):
        """A model that is served, and the entries that this makes."""
        data = self.folder / "rows.csv"
        data.write_text(rows_of(400))
        self.command_json("dataset", "add", "flights", data)
        self.command_json(
            "train", "flights", "--target", "late", "--model", "late", "--trials", 1, "--time", "20s", "--seed", 1
        )
        self.command_json("deploy", "late@1", "--endpoint", "late")

    def export(self, name="audit.txt"):
        file = self.folder / name
        self.command_json("audit", "export", file)
        return file

    def verify_elsewhere(self, file, *words):
        """As on a machine that has neither the home nor a server."""
        done = self.run_command("--json", "audit", "verify", file, *words, home=self.folder / "nowhere")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_a_deployment_is_listed_exported_and_verified(self):
        self.line()
        entries = self.command_json("audit", "list")["entries"]
        actions = [entry["action"] for entry in reversed(entries)]
        self.assertEqual(
            actions,
            ["dataset_version.made", "run.started", "model_version.made", "run.succeeded", "endpoint.deployed"],
        )
        deployed = entries[0]
        self.assertEqual((deployed["object"], deployed["actor"]), ("endpoint/late", "owner"))
        self.assertTrue(deployed["request_id"])
        made = entries[2]
        self.assertEqual((made["actor"], made["job"]), ("owner", entries[3]["object"].split("/")[1]))
        variant = deployed["details"]["variants"][0]
        self.assertEqual((variant["model_version"], variant["dataset"]), (1, "flights@1"))
        self.assertEqual(variant["package"], made["details"]["package"])

        mode = (self.home / "keys/audit.key").stat().st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        file = self.export()
        export = Export(file.read_text())
        export.verify()
        self.assertEqual([entry["action"] for entry in export.parsed()], actions)
        report = self.verify_elsewhere(file)
        self.assertEqual(report["size"], 5)
        self.assertFalse((self.folder / "nowhere").exists())
        self.assertEqual(self.command_json("audit", "verify")["root"], report["root"])

    def test_what_served_at_a_time_and_what_it_rests_on(self):
        self.line()
        first = self.command_json("audit", "list", "--object", "endpoint/late")["entries"][0]["at"]
        self.command_json("model", "export", "late", self.folder / "late.package")
        self.command_json("model", "import", self.folder / "late.package", "--model", "late")
        self.command_json("deploy", "late@2", "--endpoint", "late")
        now = self.command_json("audit", "list", "--object", "endpoint/late", "--at", "2100-01-01")["state"]
        self.assertEqual(now["variants"][0]["model_version"], 2)
        then = self.command_json("audit", "list", "--object", "endpoint/late", "--at", first)["state"]
        self.assertEqual(then["variants"][0]["model_version"], 1)
        self.assertEqual((then["actor"], then["since"]), ("owner", first))
        self.assertEqual(then["variants"][0]["dataset"], "flights@1")
        self.assertIn("checks", then["variants"][0])
        before = self.command_json("audit", "list", "--object", "endpoint/late", "--at", "2000-01-01")["state"]
        self.assertEqual(before, {"exists": False})
        self.run_command("--yes", "endpoint", "delete", "late")
        gone = self.command_json("audit", "list", "--object", "endpoint/late", "--at", "2100-01-01")["state"]
        self.assertEqual(gone, {"exists": False})

    def test_lineage_goes_both_ways(self):
        self.line()
        server = self.server()
        server.request("POST", f"{API}/endpoints/late:predict", {"rows": [{"origin": "ORD"}], "ids": ["p-1"]})
        answer = server.request("GET", f"{API}/lineage?object=prediction/late/p-1").json()
        below = [link["object"] for link in answer["rests_on"]]
        self.assertEqual([name.split("/")[0] for name in below], ["model", "run", "dataset", "source"])
        self.assertEqual((below[0], below[2]), ("model/late@1", "dataset/flights@1"))
        answer = server.request("GET", f"{API}/lineage?object=dataset/flights@1").json()
        above = {link["object"] for link in answer["used_by"]}
        self.assertLessEqual({"model/late@1", "endpoint/late"}, above)
        self.assertEqual(server.request("GET", f"{API}/lineage?object=dataset/nothing").status, 404)
        self.assertEqual(server.request("GET", f"{API}/lineage?object=what").status, 400)

    def forgery(self, text, *words, about=None):
        file = self.folder / "forged.txt"
        file.write_text(text)
        result = self.run_command("audit", "verify", file, *words, home=self.folder / "nowhere")
        self.assertEqual(result.returncode, 3, result.stderr)
        if about:
            self.assertIn(about, result.stderr)

    def test_a_forger_is_found(self):
        self.line()
        old = self.folder / "old.txt"
        old.write_text(self.run_command("audit", "checkpoint").stdout)
        early = self.export("early.txt").read_text()
        self.command_json("deploy", "late@1", "--endpoint", "other")
        text = self.export().read_text()
        self.assertEqual(self.command_json("audit", "verify", self.folder / "audit.txt", "--checkpoint", old)["extends"], 5)
        lines = text.split("\n")
        self.forgery(text.replace('"actor":"owner"', '"actor":"nobody"', 1), about="entry 0 was changed")
        self.forgery("\n".join(lines[:2] + [lines[3], lines[2]] + lines[4:]), about="where entry 0 should be")
        self.forgery("\n".join(lines[:3] + lines[4:]), about="where entry 1 should be")
        self.forgery("\n".join(lines[:5]) + "\n", about="cut off")
        end = next(number for number, line in enumerate(lines) if line == "")
        self.forgery("\n".join(lines[: end - 1] + lines[end:]), about="was signed over 6")
        self.forgery(text.replace(lines[end + 3], lines[2].split(" ")[1]), about="no valid signature")
        # Who rolls the log back to an earlier state, signature and all, is found by the newer checkpoint alone.
        newer = self.folder / "newer.txt"
        newer.write_text(self.run_command("audit", "checkpoint").stdout)
        self.forgery(early, "--checkpoint", newer, about="its end was cut off")
        wrong = self.run_command("audit", "verify", newer)
        self.assertEqual(wrong.returncode, 2, wrong.stderr)
        self.assertEqual(self.run_command("audit", "verify", self.folder / "none.txt").returncode, 5)

    def test_a_fork_is_found_although_the_key_signed_it(self):
        self.line()
        old = self.folder / "old.txt"
        old.write_text(self.run_command("audit", "checkpoint").stdout)
        # The holder of the key rewrites history: an entry is altered and the log made anew.
        database = sqlite3.connect(self.home / "cromford.db")
        database.execute("delete from documents where kind in ('audit_tree', 'audit_tile')")
        database.execute(
            "update documents set kind = 'audit_pending', body = replace(body, '\"actor\":\"owner\"', '\"actor\":\"loop\"') "
            "where kind = 'audit_entry'"
        )
        database.commit()
        database.close()
        forged = self.export("forged.txt")
        Export(forged.read_text()).verify()
        self.assertEqual(self.run_command("audit", "verify", forged).returncode, 0)
        result = self.run_command("audit", "verify", forged, "--checkpoint", old)
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertIn("fork", result.stderr)

    def test_proofs_of_inclusion_and_consistency(self):
        self.line()
        server = self.server()
        earlier = server.request("GET", f"{API}/audit/checkpoint").json()
        for number in range(3):
            server.request("PUT", f"{API}/endpoints/e{number}", {"model": "late"})
        entry = server.request("GET", f"{API}/audit?object=endpoint/e1").json()["entries"][0]
        proof = server.request("GET", f"{API}/audit/entries/{entry['id']}").json()
        size, root = open_checkpoint(proof["checkpoint"], proof["key"])
        hashes = [base64.b64decode(text) for text in proof["inclusion"]]
        self.assertEqual(root_by_inclusion(leaf_hash(proof["entry"].encode()), proof["index"], size, hashes), root)
        newer = server.request("GET", f"{API}/audit/checkpoint?from_size={earlier['size']}").json()
        self.assertEqual(newer["size"], earlier["size"] + 3)
        self.assertTrue(newer["consistency"]["proof"])

    def test_damage_is_told_at_the_start_and_nothing_is_mended(self):
        self.line()
        database = sqlite3.connect(self.home / "cromford.db")
        database.execute(
            "update documents set body = replace(body, 'owner', 'nobody') where kind = 'audit_entry' and name like '%1'"
        )
        database.commit()
        result = self.run_command("audit", "verify")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("audit log is damaged", result.stderr)
        server = self.server()
        self.assertIn("audit log is damaged", (self.folder / "home.log").read_text())
        self.assertEqual(server.request("GET", "/api/v1/status").json()["audit"]["state"], "damaged")
        # What is done meanwhile keeps its entry, which waits.
        self.assertEqual(server.request("PUT", f"{API}/endpoints/more", {"model": "late"}).status, 200)
        server.stop()
        waiting = database.execute("select count(*) from documents where kind = 'audit_pending'").fetchone()[0]
        database.close()
        self.assertGreaterEqual(waiting, 1)

    def test_kill_minus_nine_leaves_no_change_without_entry_and_no_entry_without_change(self):
        self.line()
        chance = random.Random(7)
        acknowledged = set()
        sizes = [0]
        for _ in range(KILLS):
            server = self.server()
            thread = threading.Thread(target=self.deploy_all, args=(server, acknowledged))
            thread.start()
            time.sleep(chance.uniform(0.05, 0.6))
            server.kill()
            thread.join()
            sizes.append(self.check_home(sizes[-1]))
        names = {entry["object"] for entry in Export(self.export().read_text()).parsed()}
        self.assertTrue(acknowledged)
        self.assertLessEqual({f"endpoint/{name}" for name in acknowledged}, names)

    def deploy_all(self, server, acknowledged):
        for number in range(100_000):
            name = f"e{len(acknowledged)}-{number}"
            try:
                if server.request("PUT", f"{API}/endpoints/{name}", {"model": "late"}).status != 200:
                    return
            except OSError:
                return
            acknowledged.add(name)

    def check_home(self, size_before):
        """What stands in the database right after the kill, without the program."""
        database = sqlite3.connect(f"file:{self.home}/cromford.db", uri=True)
        rows = database.execute("select kind, name, body from documents").fetchall()
        database.close()
        entries = [body for kind, name, body in sorted(rows) if kind == "audit_entry"]
        pending = [body for kind, _, body in rows if kind == "audit_pending"]
        told = [json.loads(body) for body in entries + pending]
        served = {name for kind, name, _ in rows if kind == "endpoint"}
        written = {}
        for entry in told:
            for document, digest in entry.get("documents", {}).items():
                written.setdefault(document, []).append(digest)
        for kind, name, body in rows:
            if kind in ("endpoint", "model_version", "dataset_version"):
                digest = hashlib.blake2b(body.encode(), digest_size=32).hexdigest()
                self.assertIn(digest, written[f"{kind}/{name}"])
        deployed = [entry["object"] for entry in told if entry["action"] == "endpoint.deployed"]
        self.assertEqual(sorted(deployed), sorted(f"endpoint/{name}" for name in served))
        note = json.loads(next(body for kind, _, body in rows if kind == "audit_tree"))["checkpoint"]
        size, root = int(note.splitlines()[1]), base64.b64decode(note.splitlines()[2])
        self.assertEqual(size, len(entries))
        self.assertEqual(root, tree_hash([leaf_hash(body.encode()) for body in entries]))
        self.assertGreaterEqual(size, size_before)
        return size


if __name__ == "__main__":
    unittest.main()
