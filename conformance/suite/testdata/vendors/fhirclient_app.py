# A whole authorization with the FHIRClient class of Python's fhirclient, as the example app for patients. The pages are answered as
# a browser without scripts does. Arguments: address of the site, subject of the person who signs in. PYTHONPATH has the library.
import html
import re
import sys
from urllib.parse import urljoin

import requests
from fhirclient import client
from fhirclient.models.observation import Observation

site, person = sys.argv[1:]
redirect = site.replace('127.0.0.1', 'localhost') + '/app/index.html'
smart = client.FHIRClient(settings={
    'app_id': 'example-patient-app', 'api_base': site + '/fhir', 'redirect_uri': redirect,
    'scope': 'openid fhirUser offline_access patient/Patient.rs patient/Observation.rs'})
browser = requests.Session()


def follow(answer):
    """Follows redirects up to a page, or to the address of the app."""
    while True:
        refresh = answer.headers.get('Refresh', '')
        on = answer.headers.get('Location') or refresh[len('0; url='):]
        if not on:
            return answer
        on = urljoin(answer.url, on)
        if on.startswith(redirect):
            return on
        answer = browser.get(on, allow_redirects=False)


def submit(page):
    """Sends the form of a page: signs in as the person, or allows everything."""
    action, fields = re.search(r'<main.*?<form[^>]*action="([^"]+)"(.*?)</form>', page.text, re.S).groups()
    form = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', fields) + re.findall(r'name="([^"]+)" type="checkbox" value="([^"]*)"', fields)
    form += [('person', person)] if 'name="person"' in fields else [('decision', 'allow')]
    return browser.post(urljoin(page.url, html.unescape(action)), [(name, html.unescape(value)) for name, value in form], headers={'Origin': site}, allow_redirects=False)


smart.prepare()
at = follow(browser.get(smart.authorize_url, allow_redirects=False))
while not isinstance(at, str):
    at = follow(submit(at))
smart.handle_callback(at)


def observations():
    return Observation.where({'patient': smart.patient_id}).perform(smart.server).total


print('ready', smart.ready)
print('patient', smart.patient.name[0].family)
print('observations', observations())
before = smart.server.auth.access_token
print('renewed', smart.reauthorize() and smart.server.auth.access_token != before)
print('observations', observations())
