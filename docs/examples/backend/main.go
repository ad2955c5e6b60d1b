// Command backend is a backend client of SMART Backend Services (private_key_jwt): it gets an access token with its own key and
// reads with it. Usage: go run . FHIR-BASE CLIENT-ID KEY.pem "SCOPES" "SEARCH"
package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"time"
)

func main() {
	if len(os.Args) != 6 {
		log.Fatal("usage: backend FHIR-BASE CLIENT-ID KEY.pem SCOPES SEARCH")
	}
	base, id, scopes, search := os.Args[1], os.Args[2], os.Args[4], os.Args[5]
	var smart struct{ Token_endpoint string }
	must(json.Unmarshal(get(base+"/.well-known/smart-configuration", ""), &smart))
	answer, err := http.PostForm(smart.Token_endpoint, url.Values{"grant_type": {"client_credentials"}, "scope": {scopes},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion(id, smart.Token_endpoint, os.Args[3])}})
	must(err)
	var token struct{ Access_token, Error_description string }
	must(json.NewDecoder(answer.Body).Decode(&token))
	if token.Access_token == "" {
		log.Fatal("no token: ", token.Error_description)
	}
	fmt.Printf("%s\n", get(base+"/"+search, token.Access_token))
}

// assertion is a JWT that says who the client is, signed RS384 with its key.
func assertion(id, audience, keyFile string) string {
	text, err := os.ReadFile(keyFile)
	must(err)
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	must(err)
	part := func(v any) string {
		b, err := json.Marshal(v)
		must(err)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	signed := part(map[string]string{"alg": "RS384", "kid": "backend", "typ": "JWT"}) + "." +
		part(map[string]any{"iss": id, "sub": id, "aud": audience, "jti": rand.Text(), "exp": time.Now().Add(4 * time.Minute).Unix()})
	sum := sha512.Sum384([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key.(*rsa.PrivateKey), crypto.SHA384, sum[:])
	must(err)
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func get(address, token string) []byte {
	r, err := http.NewRequest(http.MethodGet, address, nil)
	must(err)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	must(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(err)
	return body
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
