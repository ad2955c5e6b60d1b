// Standalone launch: the app is opened on its own, and knows the record from its settings.
function start(clientId, offline) {
  FHIR.oauth2.authorize({
    iss: settings.fhir,
    clientId,
    redirectUri: settings.redirect,
    scope: `launch/patient ${settings.scope} ${offline}`,
    pkceMode: 'required',
  }).catch((error) => { document.getElementById('problem').textContent = `The app cannot start: ${error.message}` })
}

// offline_access: a refresh token that outlives the session of the person.
document.getElementById('patient').addEventListener('click', () => start(settings.patientApp, 'offline_access'))
document.getElementById('staff').addEventListener('click', () => start(settings.staffApp, ''))
