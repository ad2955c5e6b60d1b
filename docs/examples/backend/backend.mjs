// A backend client of SMART Backend Services (private_key_jwt), for Node 18 or newer, without packages: it gets an access token with
// its own key and reads with it. Usage: node backend.mjs FHIR-BASE CLIENT-ID KEY.pem "SCOPES" "SEARCH"
import { createPrivateKey, randomUUID, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'

const [base, id, keyFile, scope, search] = process.argv.slice(2)
if (!search) throw new Error('usage: node backend.mjs FHIR-BASE CLIENT-ID KEY.pem SCOPES SEARCH')

const json = async (address, options) => (await fetch(address, options)).json()
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')

// assertion is a JWT that says who the client is, signed RS384 with its key.
function assertion(audience) {
  const signed = part({ alg: 'RS384', kid: 'backend', typ: 'JWT' }) + '.' +
    part({ iss: id, sub: id, aud: audience, jti: randomUUID(), exp: Math.floor(Date.now() / 1000) + 240 })
  return signed + '.' + sign('sha384', Buffer.from(signed), createPrivateKey(readFileSync(keyFile))).toString('base64url')
}

const smart = await json(`${base}/.well-known/smart-configuration`)
const token = await json(smart.token_endpoint, {
  method: 'POST',
  body: new URLSearchParams({
    grant_type: 'client_credentials', scope, client_assertion: assertion(smart.token_endpoint),
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  }),
})
if (!token.access_token) throw new Error(`no token: ${token.error_description}`)
console.log(JSON.stringify(await json(`${base}/${search}`, { headers: { Authorization: `Bearer ${token.access_token}` } })))
