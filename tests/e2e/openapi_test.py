"""The OpenAPI document against the running server: schemathesis makes requests from the document,
in order and out of order, and holds every answer against it."""

import os
import subprocess
import unittest

from factory import PATIENCE_S, ROOT, FactoryTest

PROJECT = "/api/v1/projects/default"
CONFIGURATION = ROOT / "tests/e2e/schemathesis.toml"
SCHEMATHESIS = ROOT / "build/venv/bin/schemathesis"
NO_NETWORK = 3  # Of scripts/venv.sh.
# For a long look by hand. The number of requests is set, not their time, so that a slow machine
# looks at the same ones.
EXAMPLES = os.environ.get("CROMFORD_OPENAPI_EXAMPLES", "15")
SEED = os.environ.get("CROMFORD_OPENAPI_SEED", "1")

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "positive_data_acceptance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
)


def people():
    """400 rows of a small table with a number, a category and a target."""
    rows = ["age,city,weight,smoker"]
    for i in range(400):
        city = ("Bonn", "Oslo", "Rome")[i % 3]
        rows.append(f"{20 + i % 50},{city},{50 + i % 40}.5,{'yes' if i * 7 % 11 < 4 else 'no'}")
    return "\n".join(rows) + "\n"


class OpenApiTest(FactoryTest):
    @classmethod
    def setUpClass(cls):
        made = subprocess.run([ROOT / "scripts/venv.sh"], capture_output=True, text=True)
        # scripts/ci.sh has made it before, or failed.
        if made.returncode == NO_NETWORK:
            raise unittest.SkipTest("left out: schemathesis cannot be installed without network")
        if made.returncode != 0:
            raise AssertionError(f"scripts/venv.sh failed:\n{made.stdout}{made.stderr}")

    def fill(self, server):
        """A dataset, a model and an endpoint, for the requests that need them."""
        imported = server.request("POST", PROJECT + "/datasets/people/versions", people(), content_type="text/csv")
        self.assertEqual(server.job(imported)["state"], "succeeded")
        run = {"dataset": "people", "target": "smoker", "model": "smoker", "seed": 1, "budget": {"trials": 1}}
        self.assertEqual(server.job(server.request("POST", PROJECT + "/runs", run))["state"], "succeeded")
        deployed = server.request("PUT", PROJECT + "/endpoints/smoker", {"model": "smoker"})
        self.assertEqual(deployed.status, 200, deployed.body)

    def exercise(self, mode):
        """Runs schemathesis on a server with some content; it must find nothing."""
        server = self.server()
        self.fill(server)
        done = subprocess.run(
            [
                SCHEMATHESIS, "--config-file", CONFIGURATION, "run", server.url + "/api/v1/openapi.json",
                "--mode", mode, "--phases", "examples,coverage,fuzzing", "--checks", ",".join(CHECKS),
                "--max-examples", EXAMPLES, "--seed", SEED,
                "--generation-database", "none", "--warnings", "off", "--continue-on-failure",
                "--output-sanitize", "false",
            ],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=10 * PATIENCE_S * max(1, int(EXAMPLES) / 15),
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, f"{done.stdout}\n{done.stderr}")
        self.assertIsNone(server.process.poll(), "the server has ended")
        self.assertEqual(server.request("GET", "/readyz").status, 200)

    # One mode at a time: in both at once, schemathesis puts a value that is out of order into a
    # header of a request that it calls in order, where the header's pattern has quotes (If-Match).
    def test_requests_in_order_are_answered_as_described(self):
        self.exercise("positive")

    def test_requests_out_of_order_are_refused_as_described(self):
        self.exercise("negative")


if __name__ == "__main__":
    unittest.main()
