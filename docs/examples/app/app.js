// The app itself: it gets its token, reads the record as far as it was allowed to, and shows it.
const byId = (id) => document.getElementById(id)
const say = (text) => { byId('status').textContent = text }

// items fills a list with one line for each text, or says that there is none.
function items(id, texts) {
  byId(id).replaceChildren(...(texts.length ? texts : ['None recorded']).map((text) => {
    const li = document.createElement('li')
    li.textContent = text
    return li
  }))
}

// pairs fills a description list.
function pairs(id, list) {
  byId(id).replaceChildren(...list.flatMap(([name, value]) => {
    const [dt, dd] = [document.createElement('dt'), document.createElement('dd')]
    dt.textContent = name
    dd.textContent = value
    return [dt, dd]
  }))
}

const textOf = (concept) => concept?.text ?? concept?.coding?.find((c) => c.display)?.display
const day = (date) => (date ?? '').slice(0, 10)

// granted reports whether the token permits to search a type. A person may have allowed less than the app asked for, and
// perhaps single categories: then the search finds those alone.
function granted(client, type) {
  return client.state.tokenResponse.scope.split(' ').some((scope) => scope.startsWith(`patient/${type}.`))
}

// search returns the resources of a search with its included ones; null if the type was not allowed.
async function search(client, type, query) {
  if (!granted(client, type)) return null
  const address = `${type}?patient=${encodeURIComponent(client.patient.id)}&_count=200${query}`
  return client.request(address, { pageLimit: 5, flat: true })
}

// list shows the resources of a type, newest first.
function list(id, resources, line) {
  items(id, resources ? resources.map(line) : ['You did not allow the app to see these'])
}

function medicine(resource, all) {
  const included = all.find((r) => r.resourceType === 'Medication' && resource.medicationReference?.reference === `Medication/${r.id}`)
  const name = textOf(resource.medicationCodeableConcept) ?? textOf(included?.code) ?? 'Medicine without a name here'
  return [name, resource.dosageInstruction?.[0]?.text, day(resource.authoredOn), resource.status].filter(Boolean).join(', ')
}

async function showRecord(client) {
  say('Reading …')
  const patient = granted(client, 'Patient') ? await client.patient.read() : null
  const name = patient?.name?.[0]
  byId('title').textContent = name ? name.text ?? [...(name.given ?? []), name.family].join(' ') : 'Your record'
  pairs('patient', [['Born', patient?.birthDate ?? 'not allowed'], ['Patient', client.patient.id], ['Encounter', client.encounter.id ?? 'none']])

  const include = granted(client, 'Medication') ? '&_include=MedicationRequest:medication' : ''
  const medicines = await search(client, 'MedicationRequest', `&_sort=-authoredon${include}`)
  list('medications', medicines?.filter((r) => r.resourceType === 'MedicationRequest').slice(0, 10), (r) => medicine(r, medicines))
  list('allergies', await search(client, 'AllergyIntolerance', ''), (r) => textOf(r.code) ?? 'Allergy')
  list('problems', await search(client, 'Condition', '&clinical-status=active&_sort=-recorded-date'), (r) => `${textOf(r.code) ?? 'Problem'}, since ${day(r.onsetDateTime ?? r.recordedDate)}`)

  const series = longest(await search(client, 'Observation', '&_sort=-date') ?? [])
  byId('result').textContent = series ? `${series.name} over time` : 'A result over time'
  byId('chart').replaceChildren(series ? chart(series) : 'There is no result to draw')
  byId('record').hidden = false
  say('This is what you allowed the app to see.')
}

// showAccess shows what was granted. The tokens themselves are nobody's business but the app's.
function showAccess(client, refreshes) {
  const answer = client.state.tokenResponse
  pairs('access', [
    ['Scopes', answer.scope],
    ['Signed in', client.user.fhirUser ?? 'not told'],
    ['Token ends', new Date(client.state.expiresAt * 1000).toLocaleTimeString()],
    ['Refresh token', answer.refresh_token ? 'yes' : 'no'],
    ['New tokens so far', refreshes],
  ])
  byId('refresh').disabled = !answer.refresh_token
}

// leave ends the grant at the record (RFC 7009): revoking the refresh token ends the access tokens too.
async function leave(client) {
  const discovered = await (await fetch(`${client.state.serverUrl}/.well-known/smart-configuration`)).json()
  const { refresh_token: refresh, access_token: access } = client.state.tokenResponse
  const answer = await fetch(discovered.revocation_endpoint, {
    method: 'POST',
    body: new URLSearchParams({ token: refresh ?? access, client_id: client.state.clientId }),
  })
  if (!answer.ok) throw new Error(`the record answered ${answer.status}`)
  sessionStorage.clear()
}

function ended(text) {
  byId('record').hidden = true
  byId('title').textContent = 'Example app'
  say(text)
}

// firstLine leaves out the body of an answer, which is for developers.
const firstLine = (error) => error.message.split('\n')[0]

// failed tells the person why. 401: the token has ended, or the person stopped the app.
function failed(error) {
  if (error.status === 401) ended('The record does not accept the app any more (401). Start again.')
  else if (byId('record').hidden) ended(`The record was not opened: ${firstLine(error)}`)
  else say(`That did not work: ${firstLine(error)}`)
}

async function main() {
  const client = await FHIR.oauth2.ready()
  let refreshes = 0
  const button = (id, does) => byId(id).addEventListener('click', () => does().catch(failed))
  button('again', () => showRecord(client))
  button('refresh', async () => {
    await client.refresh()
    showAccess(client, ++refreshes)
    say('The app has a new token.')
  })
  button('leave', async () => {
    await leave(client)
    ended('You are signed out of the app, and its access has ended.')
  })
  showAccess(client, refreshes)
  await showRecord(client)
}

main().catch(failed)
