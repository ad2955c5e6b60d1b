package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"carerecord/fhir"
	"carerecord/interop/smart/clients"
)

// wrongBody is an error of a body of the administrators' API. Its text is for the administrator and has nothing of the body.
type wrongBody string

func (e wrongBody) Error() string { return string(e) }

// unreadable returns the answer to a body that cannot be read. It says what is wrong, and names a member, but has no value of the body
// (SMART-481): the errors of the decoders have them.
func unreadable(err error) error {
	text := "it is not as the documentation says"
	var own wrongBody
	var typ *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	var instant *time.ParseError
	switch {
	case errors.As(err, &own), errors.Is(err, clients.ErrSeveral):
		text = err.Error()
	case errors.As(err, &typ) && typ.Field != "":
		text = "the " + memberNamed(typ.Field) + " has the wrong type"
	case errors.As(err, &typ):
		text = "it is no JSON object"
	case errors.As(err, &syntax):
		text = fmt.Sprintf("it is no JSON, from byte %d on", syntax.Offset)
	case errors.As(err, &instant):
		text = "an instant is not of the form 2027-01-31T00:00:00Z"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		text = "it ends before its JSON does"
	default:
		if quoted, found := strings.CutPrefix(err.Error(), "json: unknown field "); found {
			name, _ := strconv.Unquote(quoted) // "" for what is none
			text = "there is no " + memberNamed(name)
		}
	}
	return fhir.Fault(http.StatusBadRequest, "invalid", "The body cannot be read: %s.", text)
}

// namedMember is the form of the names of members, within others too.
var namedMember = regexp.MustCompile(`^[A-Za-z_]{1,40}(\.[A-Za-z_]{1,40})*$`)

// memberNamed names a member of a body in an error, if it has the form of a name: anything else may be a value.
func memberNamed(name string) string {
	if !namedMember.MatchString(name) {
		return "such member"
	}
	return "member " + name
}
