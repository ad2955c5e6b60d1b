package smart

import (
	"errors"
	"net/http"
	"strings"

	"carerecord/interop/pages"
	"carerecord/interop/smart/clients"
)

// serveLogo answers the logo of an app, by the digest of the image (SMART-067). It never changes, so a browser may keep it.
func (s *Server) serveLogo(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return &pages.Failure{Kind: pages.MethodRefused, Allow: "GET, HEAD"}
	}
	digest, named := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, clients.LogoPath), ".png")
	if !named || r.URL.RawQuery != "" {
		return pages.Fail(pages.NotFound, nil)
	}
	image, err := s.Clients.Logo(r.Context(), digest)
	if errors.Is(err, clients.ErrUnknown) {
		return pages.Fail(pages.NotFound, nil)
	}
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "image/png")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	_, _ = w.Write(image)
	return nil
}
