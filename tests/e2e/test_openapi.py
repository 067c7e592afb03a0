"""The published description of the interface can be read by tools, and says what the server does."""
import pathlib
import re
import unittest

import yaml

from harness import Scenario

ROOT = pathlib.Path(__file__).resolve().parents[2]


class OnceOnly(yaml.SafeLoader):
    """Refuses a key that stands twice in a mapping: of two, readers keep one, each the one that it likes."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def references(node):
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from references(child)


def without_names(path):
    return re.sub(r"\{[^}]*\}", "{}", path)


class Document(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = (ROOT / "proto/openapi.yaml").read_text()
        cls.document = yaml.safe_load(cls.text)

    def test_no_key_stands_twice(self):
        yaml.load(self.text, OnceOnly)
        with self.assertRaisesRegex(yaml.YAMLError, "'get' stands twice"):
            yaml.load("paths: {/livez: {get: {}, get: {}}}", OnceOnly)

    def test_every_reference_leads_somewhere(self):
        found = set(references(self.document))
        self.assertGreater(len(found), 10)
        for reference in found:
            node = self.document
            for step in reference.removeprefix("#/").split("/"):
                self.assertIn(step, node, reference)
                node = node[step]

    def test_every_parameter_of_a_path_is_declared(self):
        for path, item in self.document["paths"].items():
            for method in item.keys() - {"parameters"}:
                parameters = item.get("parameters", []) + item[method].get("parameters", [])
                declared = {self.resolved(parameter)["name"] for parameter in parameters}
                self.assertLessEqual(set(re.findall(r"\{([^}]*)\}", path)), declared, f"{method} {path}")

    def resolved(self, parameter):
        reference = parameter.get("$ref")
        return self.document["components"]["parameters"][reference.rpartition("/")[2]] if reference else parameter

    def test_every_route_of_the_server_is_described(self):
        described = {
            (method.upper(), without_names(path)) for path, item in self.document["paths"].items() for method in item
        }
        source = (ROOT / "server/api.c").read_text()
        routes = set(re.findall(r'ROUTE\((GET|POST|PATCH|PUT|DELETE), "([^"]*)",', source))
        self.assertGreater(len(routes), 10)
        self.assertEqual(set(), routes - described)


class Answers(Scenario):
    def assert_described(self, answer, method, path):
        document = yaml.safe_load(self.web.get("/openapi.yaml").text)
        responses = document["paths"][path][method]["responses"]
        self.assertIn(str(answer.status), responses, f"{method} {path}")
        media = answer.headers["content-type"].partition(";")[0]
        self.assertIn(media, responses[str(answer.status)]["content"], f"{method} {path}")

    def test_a_forms_answers_have_the_statuses_that_are_described(self):
        for accept in ("application/json", "text/html"):
            answer = self.web.post(f"/f/{self.pk}", {"email": f"{accept[-4:]}@example.com"}, headers={"Accept": accept})
            self.assert_described(answer, "post", "/f/{pk}")

    def test_the_retired_keys_answer_has_the_status_that_is_described(self):
        path, token = "/v1/sites/acme-www/keys", self.admin
        self.assertEqual(201, self.web.post(path, {"kind": "sk"}, bearer=token).status)
        answer = self.web.request("DELETE", path + "/sk", bearer=token)
        self.assert_described(answer, "delete", "/v1/sites/{site}/keys/{key}")
