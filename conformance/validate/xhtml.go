package validate

import (
	"bytes"
	"fmt"
	"html"
	"slices"
	"strings"
	"unicode/utf8"
)

const xhtmlNamespace = "http://www.w3.org/1999/xhtml"

// narrative tests the div of a Narrative: it must be well-formed XHTML (value), have only basic
// formatting and no active content (txt-1), and have text or an image (txt-2). It returns the code
// and text of the first fault, or empty strings.
func narrative(s []byte) (code, text string) {
	x := xhtml{src: s, open: make([]string, 0, 16)}
	for x.pos < len(x.src) && x.faultCode == "" {
		x.next()
	}
	switch {
	case x.faultCode != "":
	case !x.root || len(x.open) > 0:
		x.fail("value", "The narrative must be one closed <div> element.")
	case !x.content:
		x.fail("invariant", "The narrative must contain text or an image (txt-2).")
	}
	return x.faultCode, x.faultText
}

// xhtml is a single pass over markup.
type xhtml struct {
	src                  []byte
	pos                  int
	open                 []string // names of open elements
	root                 bool     // the div was seen
	content              bool     // text or an image was seen
	faultCode, faultText string   // the first fault
}

func (x *xhtml) fail(code, format string, args ...any) {
	if x.faultCode == "" {
		x.faultCode, x.faultText = code, fmt.Sprintf(format, args...)
	}
}

// next reads one tag, comment or run of text.
func (x *xhtml) next() {
	rest := x.src[x.pos:]
	switch {
	case rest[0] != '<':
		x.text()
	case bytes.HasPrefix(rest, []byte("<!--")):
		end := bytes.Index(rest[4:], []byte("-->"))
		if end < 0 {
			x.fail("value", "A comment in the narrative does not end.")
			return
		}
		x.pos += 4 + end + 3
	case bytes.HasPrefix(rest, []byte("</")):
		x.endTag()
	case bytes.HasPrefix(rest, []byte("<!")) || bytes.HasPrefix(rest, []byte("<?")):
		x.fail("value", "The narrative must not contain declarations or processing instructions.")
	default:
		x.startTag()
	}
}

// text reads text up to the next tag.
func (x *xhtml) text() {
	end := bytes.IndexByte(x.src[x.pos:], '<')
	if end < 0 {
		end = len(x.src) - x.pos
	}
	text := x.src[x.pos : x.pos+end]
	x.pos += end
	if len(bytes.TrimSpace(text)) == 0 {
		return
	}
	if len(x.open) == 0 {
		x.fail("value", "The narrative must be one <div> element, but there is text outside of it.")
		return
	}
	x.content = true
	x.checkEntities(text)
}

// checkEntities tests the entity references in text. XML defines five names, and &nbsp; is not one of
// them.
func (x *xhtml) checkEntities(text []byte) {
	for {
		at := bytes.IndexByte(text, '&')
		if at < 0 {
			return
		}
		text = text[at+1:]
		end := bytes.IndexByte(text, ';')
		if end < 1 || end > 10 || !isEntity(string(text[:end])) {
			x.fail("value", "The narrative contains an & that does not begin an entity of XML: use &amp;, &lt;, &gt;, &quot;, &apos; or a number.")
			return
		}
		text = text[end+1:]
	}
}

func isEntity(name string) bool {
	number, ok := strings.CutPrefix(name, "#")
	if !ok {
		return slices.Contains([]string{"amp", "lt", "gt", "quot", "apos"}, name)
	}
	hex, isHex := strings.CutPrefix(number, "x")
	for _, c := range hex {
		if !(c >= '0' && c <= '9' || isHex && (c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F')) {
			return false
		}
	}
	r, _ := utf8.DecodeRuneInString(html.UnescapeString("&" + name + ";"))
	return hex != "" && r != utf8.RuneError && (r >= ' ' || r == '\t' || r == '\n' || r == '\r')
}

func (x *xhtml) endTag() {
	end := bytes.IndexByte(x.src[x.pos:], '>')
	if end < 0 {
		x.fail("value", "A tag in the narrative does not end.")
		return
	}
	name := string(bytes.TrimRight(x.src[x.pos+2:x.pos+end], " \t\r\n"))
	x.pos += end + 1
	if len(x.open) == 0 || x.open[len(x.open)-1] != name {
		x.fail("value", "The narrative closes <%s>, which is not open.", shorten(name))
		return
	}
	x.open = x.open[:len(x.open)-1]
}

// startTag reads a start tag with its attributes.
func (x *xhtml) startTag() {
	x.pos++
	name := x.name()
	switch {
	case name == "":
		x.fail("value", "The narrative contains a < that does not begin a tag: write &lt;.")
		return
	case len(x.open) == 0 && (x.root || name != "div"):
		x.fail("value", "The narrative must be one <div> element.")
		return
	case !allowedElement(name):
		x.fail("invariant", "The narrative contains <%s>: only basic formatting, links and images are allowed (txt-1).", shorten(name))
		return
	case len(x.open) > 200:
		x.fail("value", "The narrative is nested deeper than 200 elements.")
		return
	}
	x.content = x.content || name == "img"
	isRoot, namespace := len(x.open) == 0, ""
	x.root = true
	for seen := []string(nil); ; {
		spaced := x.skipSpace()
		switch c := x.peek(); {
		case c == '>':
			x.pos++
			x.open = append(x.open, name)
		case c == '/' && x.pos+1 < len(x.src) && x.src[x.pos+1] == '>':
			x.pos += 2
		default:
			attribute, value := x.attribute(spaced)
			if slices.Contains(seen, attribute) {
				x.fail("value", "An attribute is repeated in one tag of the narrative.")
			}
			if x.faultCode != "" {
				return
			}
			if seen = append(seen, attribute); attribute == "xmlns" {
				namespace = value
			}
			continue
		}
		break
	}
	if isRoot && namespace != xhtmlNamespace {
		x.fail("value", `The <div> of the narrative has no xmlns="%s".`, xhtmlNamespace)
	}
}

// attribute reads and tests one attribute. spaced reports whether white space precedes it.
func (x *xhtml) attribute(spaced bool) (name, value string) {
	name = x.name()
	x.skipSpace()
	if name == "" || !spaced || x.peek() != '=' {
		x.fail("value", "A tag in the narrative is not well-formed XML.")
		return
	}
	x.pos++
	x.skipSpace()
	quote := x.peek()
	if quote != '"' && quote != '\'' {
		x.fail("value", "The attribute %s in the narrative has no quotes.", shorten(name))
		return
	}
	end := bytes.IndexByte(x.src[x.pos+1:], quote)
	if end < 0 || bytes.IndexByte(x.src[x.pos+1:x.pos+1+end], '<') >= 0 {
		x.fail("value", "The attribute %s in the narrative does not end.", shorten(name))
		return
	}
	raw := x.src[x.pos+1 : x.pos+1+end]
	x.pos += end + 2
	x.checkEntities(raw)
	value = string(raw)
	switch {
	case !allowedAttribute(name):
		x.fail("invariant", "The narrative contains the attribute %s: only attributes of basic formatting are allowed (txt-1).", shorten(name))
	case (name == "href" || name == "src") && runsScript(value):
		x.fail("invariant", "A link in the narrative is active content (txt-1).")
	}
	return name, value
}

// runsScript reports whether a browser would run an address as a script.
func runsScript(address string) bool {
	plain := strings.Map(func(r rune) rune {
		if r <= ' ' {
			return -1
		}
		return r
	}, strings.ToLower(html.UnescapeString(address)))
	return strings.HasPrefix(plain, "javascript:") || strings.HasPrefix(plain, "vbscript:") || strings.HasPrefix(plain, "data:text/html")
}

func (x *xhtml) peek() byte {
	if x.pos < len(x.src) {
		return x.src[x.pos]
	}
	return 0
}

// skipSpace skips white space and reports whether there was any.
func (x *xhtml) skipSpace() bool {
	from := x.pos
	for x.pos < len(x.src) && bytes.IndexByte([]byte(" \t\r\n"), x.src[x.pos]) >= 0 {
		x.pos++
	}
	return x.pos > from
}

func (x *xhtml) name() string {
	from := x.pos
	for x.pos < len(x.src) {
		c := x.src[x.pos]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == ':' || c == '.' || c >= 0x80) {
			break
		}
		x.pos++
	}
	return string(x.src[from:x.pos])
}

// shorten shortens a name from the body for an error text.
func shorten(name string) string {
	const limit = 64
	if len(name) > limit {
		return strings.ToValidUTF8(name[:limit], "") + "…"
	}
	return name
}
