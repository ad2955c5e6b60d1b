package browse

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/fhir/r4"
	"carerecord/interop/pages"
)

// The bounds of a tree. What is deeper or more is shown as it is, or left out with a note.
const (
	maxDepth = 40
	maxNodes = 20_000
)

// Tree returns the members of a JSON object or array as nodes of a page. Texts of the record are texts of the page and nothing else.
// What names a resource of this server is a link below prefix, and there are no other links.
func Tree(body []byte, base, prefix string) []pages.BrowseNode {
	t := tree{base: base, prefix: prefix}
	return t.members(gjson.ParseBytes(body), 0)
}

type tree struct {
	base, prefix string
	nodes        int
}

func (t *tree) members(v gjson.Result, depth int) (out []pages.BrowseNode) {
	i := 0
	v.ForEach(func(key, value gjson.Result) bool {
		if t.nodes++; t.nodes > maxNodes {
			return false
		}
		name := key.Str
		if v.IsArray() {
			name = strconv.Itoa(i)
		}
		i++
		out = append(out, t.node(name, value, depth))
		return true
	})
	return out
}

func (t *tree) node(name string, v gjson.Result, depth int) pages.BrowseNode {
	n := pages.BrowseNode{Name: name, Open: depth < 2}
	if (v.IsObject() || v.IsArray()) && depth < maxDepth {
		if typ, id := v.Get("resourceType").Str, v.Get("id").Str; v.IsObject() && typ != "" && id != "" {
			n.Text, n.Link = typ+"/"+id, t.local(typ+"/"+id)
		}
		n.Children, n.Folds = t.members(v, depth+1), true
		return n
	}
	if n.Text = v.Raw; v.Type == gjson.String {
		n.Text = v.Str
		switch name {
		case "reference", "fullUrl", "url":
			n.Link = t.local(v.Str)
		}
	}
	return n
}

// relative matches a reference to a resource of this server, or to a version of it.
var relative = regexp.MustCompile(`^([A-Za-z]+)/[A-Za-z0-9.-]{1,64}(/_history/[0-9]{1,19})?$`)

// local returns the link of an address: of a relative reference, or of an absolute one below our own base; "" for any other.
func (t *tree) local(address string) string {
	if m := relative.FindStringSubmatch(address); m != nil && r4.IsResource(m[1]) {
		return t.prefix + "/" + address
	}
	rest, ok := strings.CutPrefix(address, t.base+"/")
	u, err := url.Parse(rest)
	if !ok || err != nil || u.Scheme != "" || u.Host != "" || u.Fragment != "" || u.Path == "" || strings.HasPrefix(u.Path, "/") || strings.Contains(u.Path, "..") {
		return ""
	}
	link := t.prefix + "/" + u.EscapedPath()
	if u.RawQuery != "" {
		link += "?" + u.Query().Encode()
	}
	return link
}
