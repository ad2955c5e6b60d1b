package rest

import (
	"context"
	"net/http"

	"carerecord/consent"
)

// handler does one interaction.
type handler func(context.Context, *call) (*answer, error)

// route is one method of one path. metadata is made from the table of routes.
type route struct {
	method, path string // below the base, with :type, :id, :vid and :member
	interaction  consent.Interaction
	handle       handler
	open         bool // needs no token, and leaves no audit record
}

func (s *Server) routes() []route {
	return append(s.operationRoutes(), []route{
		{http.MethodGet, "/metadata", metadataRead, s.metadata, true},
		{http.MethodGet, "/:type/:id", consent.Read, s.read, false},
		{http.MethodPut, "/:type/:id", consent.Update, s.update, false},
		{http.MethodPut, "/:type", consent.Update, s.updateWhere, false},
		{http.MethodPatch, "/:type/:id", consent.Patch, s.patch, false},
		{http.MethodPatch, "/:type", consent.Patch, s.patchWhere, false},
		{http.MethodDelete, "/:type/:id", consent.Delete, s.delete, false},
		{http.MethodDelete, "/:type", consent.Delete, s.deleteWhere, false},
		{http.MethodGet, "/:type/:id/_history", consent.HistoryOfOne, s.historyOfOne, false},
		{http.MethodGet, "/:type/:id/_history/:vid", consent.VRead, s.vread, false},
		{http.MethodGet, "/:type/_history", consent.HistoryOfType, s.historyOfType, false},
		{http.MethodGet, "/_history", consent.HistoryOfAll, s.historyOfAll, false},
		{http.MethodPost, "/:type", consent.Create, s.create, false},
		{http.MethodPost, "/:type/$validate", consent.Validate, s.validate, false},
		{http.MethodGet, "/:type/$validate", consent.Validate, s.postOnly, false},
		{http.MethodPost, "/:type/:id/$validate", consent.Validate, s.validate, false},
		{http.MethodGet, "/:type/:id/$validate", consent.Validate, s.postOnly, false},
		{http.MethodGet, "/:type", consent.Search, s.search, false},
		{http.MethodPost, "/:type/_search", consent.Search, s.search, false},
		{http.MethodGet, "", consent.SearchAll, s.searchAll, false},
		{http.MethodPost, "/_search", consent.SearchAll, s.searchAll, false},
		{http.MethodGet, "/:type/:id/:member", consent.SearchWithin, s.searchWithin, false},
		{http.MethodPost, "/:type/:id/:member/_search", consent.SearchWithin, s.searchWithin, false},
		{http.MethodGet, "/$meta", consent.Meta, s.metaOfType, false},
		{http.MethodPost, "/$meta", consent.Meta, s.metaOfType, false},
		{http.MethodGet, "/:type/$meta", consent.Meta, s.metaOfType, false},
		{http.MethodPost, "/:type/$meta", consent.Meta, s.metaOfType, false},
		{http.MethodGet, "/:type/:id/$meta", consent.Meta, s.metaOfOne, false},
		{http.MethodPost, "/:type/:id/$meta", consent.Meta, s.metaOfOne, false},
		{http.MethodGet, "/:type/:id/_history/:vid/$meta", consent.Meta, s.metaOfOne, false},
		{http.MethodPost, "/:type/:id/$meta-add", consent.MetaAdd, s.metaAdd, false},
		{http.MethodGet, "/:type/:id/$meta-add", consent.MetaAdd, s.postOnly, false},
		{http.MethodPost, "/:type/:id/$meta-delete", consent.MetaDelete, s.metaDelete, false},
		{http.MethodGet, "/:type/:id/$meta-delete", consent.MetaDelete, s.postOnly, false},
		{http.MethodPost, "", consent.Batch, s.bundle, false},
	}...)
}

// metadataRead is the interaction of the CapabilityStatement.
const metadataRead consent.Interaction = "metadata"

// Route is one route of a Server.
type Route struct {
	Method      string
	Path        string // below the base, with :type, :id, :vid and :member; empty for the base itself
	Interaction consent.Interaction
}

// Routes returns all routes, in no particular order. A GET also serves HEAD.
func (s *Server) Routes() []Route {
	var out []Route
	for _, r := range s.routes() {
		out = append(out, Route{r.method, r.path, r.interaction})
	}
	return out
}
