package pages

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
	"strings"
)

// The paths of this package. Handler serves all below Path.
const (
	Path         = "/pages/"
	LanguagePath = Path + "language"
	assetPath    = Path + "assets/"
)

//go:embed assets/pages.css
var styleSheet []byte

// asset is a static file. Its path has a digest of the content, so a browser may keep it for ever.
type asset struct {
	path, contentType string
	content           []byte
}

func newAsset(name, contentType string, content []byte) asset {
	sum := sha256.Sum256(content)
	stem, ext, _ := strings.Cut(name, ".")
	return asset{path: assetPath + stem + "." + hex.EncodeToString(sum[:8]) + "." + ext, contentType: contentType, content: content}
}

// Handler serves what the pages need themselves, below Path: their static files, and the choice of the language.
func (p *Renderer) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+p.styles.path, p.styles.serve)
	mux.Handle("POST "+LanguagePath, p.Handle(p.chooseLanguage))
	mux.Handle("/", p.Handle(func(http.ResponseWriter, *http.Request) error { return Fail(NotFound, nil) }))
	return mux
}

func (a asset) serve(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	w.Write(a.content)
}
