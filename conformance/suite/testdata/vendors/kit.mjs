// Reads with fhir-kit-client. Arguments: folder of node_modules, FHIR base, token, id of a Patient.
import { pathToFileURL } from 'node:url'

const [modules, baseUrl, token, id] = process.argv.slice(2)
const { Client } = await import(pathToFileURL(`${modules}/fhir-kit-client/dist/index.js`))

const client = new Client({ baseUrl })
const smart = await client.smartAuthMetadata()
console.log('authorize', String(smart.authorizeUrl))
console.log('token', String(smart.tokenUrl))
client.bearerToken = token
console.log('patient', (await client.read({ resourceType: 'Patient', id })).name[0].family)

let found = 0
for (let page = await client.search({ resourceType: 'Observation', searchParams: { patient: id, _count: 50 } }); page; page = await client.nextPage({ bundle: page })) found += page.entry.length
console.log('observations', found)

const status = (promise) => promise.then(() => 200, (error) => error.response?.status)
console.log('missing', await status(client.read({ resourceType: 'Patient', id: 'nobody' })))
client.bearerToken = 'x'
console.log('stranger', await status(client.read({ resourceType: 'Patient', id })))
