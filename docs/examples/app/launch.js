// EHR launch. The address has iss (the FHIR base) and launch (a handle), which fhirclient reads.
const problem = document.getElementById('problem')

if (new URLSearchParams(location.search).get('iss') !== settings.fhir) {
  // Only a record that is known: a link with another iss could lead the person to a copy of it.
  problem.textContent = 'This page is opened by an EHR that is connected to the record.'
} else {
  FHIR.oauth2.authorize({
    clientId: settings.staffApp,
    redirectUri: settings.redirect,
    scope: `launch online_access ${settings.scope}`,
    pkceMode: 'required',
  }).catch((error) => { problem.textContent = `The app cannot start: ${error.message}` })
}
