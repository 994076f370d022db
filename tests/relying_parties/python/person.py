"""A person with a browser without JavaScript: keeps cookies, follows redirects, fills in forms."""

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests


class Person:
    def __init__(self, username, password):
        self.username = username
        self.password = password
        self.browser = requests.Session()

    def authorize(self, url):
        """Signs in and agrees to what is asked.

        Answers with the redirect to the client, or with the address and the fields of the form that the server
        wants posted there (`response_mode=form_post`).
        """
        home = _origin(url)
        response = self.browser.get(url, allow_redirects=False)
        for _ in range(20):
            if "location" in response.headers:
                to = urljoin(response.url, response.headers["location"])
                if _origin(to) != home:
                    return to
                response = self.browser.get(to, allow_redirects=False)
                continue
            assert response.status_code == 200, f"{response.status_code} at {response.url}: {response.text}"
            form = Form(response.text)
            action = urljoin(response.url, form.action)
            if _origin(action) != home:
                return action, form.fields
            if "login-submit" in form.buttons:
                form.fields |= {"username": self.username, "password": self.password}
                form.fields |= form.buttons["login-submit"]
            else:
                form.fields |= form.buttons["consent-allow"]
            # A page with `Referrer-Policy: no-referrer` posts with this origin.
            headers = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
            response = self.browser.post(action, data=form.fields, headers=headers, allow_redirects=False)
        raise AssertionError("the server asks without end")


class Form(HTMLParser):
    """The first form of a page."""

    def __init__(self, page):
        super().__init__()
        self.action, self.fields, self.buttons, self.inside = None, {}, {}, False
        self.feed(page)
        assert self.action is not None, f"no form in {page}"

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form" and self.action is None:
            self.action, self.inside = attributes.get("action", ""), True
        elif tag == "input" and self.inside and "name" in attributes and attributes.get("type") != "submit":
            self.fields[attributes["name"]] = attributes.get("value", "")
        elif tag == "button" and self.inside:
            sent = {attributes["name"]: attributes.get("value", "")} if "name" in attributes else {}
            self.buttons[attributes.get("id")] = sent

    def handle_endtag(self, tag):
        if tag == "form":
            self.inside = False


def _origin(url):
    return urlsplit(url)[:2]
