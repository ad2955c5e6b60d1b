package rest

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/search"
)

// operation is an operation that only some types have.
type operation struct {
	route
	types []string
}

func (s *Server) operations() []operation {
	owners, patient := []string{"Encounter", "Patient"}, []string{"Patient"}
	return []operation{
		{route{http.MethodGet, "/:type/:id/$everything", consent.Everything, s.everything, false}, owners},
		{route{http.MethodPost, "/:type/:id/$everything", consent.Everything, s.everything, false}, owners},
		{route{http.MethodGet, "/:type/$everything", consent.Everything, s.everythingOfMine, false}, patient},
		{route{http.MethodPost, "/:type/$everything", consent.Everything, s.everythingOfMine, false}, patient},
		{route{http.MethodGet, "/:type/$lastn", consent.LastN, s.lastN, false}, []string{"Observation"}},
		{route{http.MethodPost, "/:type/$lastn", consent.LastN, s.lastN, false}, []string{"Observation"}},
		{route{http.MethodGet, "/:type/:id/$sources", consent.Sources, s.sources, false}, patient},
		{route{http.MethodPost, "/:type/:id/$sources", consent.Sources, s.sources, false}, patient},
		{route{http.MethodGet, "/:type/$ihe-pix", consent.IHEPIX, s.crossReference, false}, patient},
		{route{http.MethodPost, "/:type/$ihe-pix", consent.IHEPIX, s.crossReference, false}, patient},
	}
}

// operationRoutes are the routes of operations that only some types have. For other types they are
// unknown routes.
func (s *Server) operationRoutes() []route {
	var out []route
	for _, op := range s.operations() {
		r := op.route
		r.handle = func(ctx context.Context, c *call) (*answer, error) {
			if !slices.Contains(op.types, c.typ) {
				return noRoute(ctx, c)
			}
			return op.handle(ctx, c)
		}
		out = append(out, r)
	}
	return out
}

// operation returns the name of the operation of a route, or "".
func (r route) operation() string {
	_, name, _ := strings.Cut(r.path, "/$")
	return name
}

// typesOf returns the types that have an operation on some level; nil for all.
func typesOf(operations []operation, name string) []string {
	var out []string
	for _, op := range operations {
		if op.operation() == name {
			out = append(out, op.types...)
		}
	}
	return distinct(out)
}

// readParameters adds the primitive parameters of a Parameters body to those of the URL (OPER-001). A
// POST without a body only has those of the URL.
func (s *Server) readParameters(ctx context.Context, c *call) error {
	if c.r.Method != http.MethodPost {
		return nil
	}
	body := c.body
	if body == nil {
		if c.r.ContentLength == 0 {
			return nil
		}
		if err := bodyType(c.r.Header); err != nil {
			return err
		}
		var err error
		if body, err = readBody(c.r, s.cfg.Limits.Form); err != nil {
			return err
		}
	}
	r, _, err := accept(body, "Parameters", c.validation)
	if err != nil {
		return err
	}
	var given []string
	r.Get("parameter").ForEach(func(_, p gjson.Result) bool {
		param, ok := inputParam(p)
		if !ok {
			err = &fhir.Error{Status: 400, Issues: []fhir.Issue{{Code: "not-supported", Expression: "Parameters.parameter[" + strconv.Itoa(len(given)) + "]",
				Text: "The operation only takes parameters with primitive values."}}}
			return false
		}
		c.params, given = append(c.params, param), append(given, param.String())
		return true
	})
	c.formText = strings.Join(given, "&")
	if token, found := LeakedToken(c.formText); found {
		return s.refuseLeaked(ctx, c, "a body", token)
	}
	if len(c.params) > search.MaxParams {
		return fhir.Fault(400, "too-costly", "There are more than %d parameters.", search.MaxParams)
	}
	return err
}

// inputParam reads one parameter of a Parameters resource.
func inputParam(p gjson.Result) (search.Param, bool) {
	name, modifier, _ := strings.Cut(p.Get("name").Str, ":")
	param, ok := search.Param{Name: name, Modifier: modifier}, false
	p.ForEach(func(key, value gjson.Result) bool {
		if strings.HasPrefix(key.Str, "value") && !value.IsObject() && !value.IsArray() {
			param.Value, ok = value.Raw, true
			if value.Type == gjson.String {
				param.Value = value.Str
			}
		}
		return true
	})
	return param, ok
}
