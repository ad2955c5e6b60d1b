package secret

import (
	"context"
	"log/slog"
	"regexp"
	"strings"
)

// Filter returns a handler of log lines that removes what no log may have, whoever wrote it there (SMART-495): values of ours by their
// prefix, JWTs such as assertions and ID tokens, credentials of an Authorization header, and the values of attributes whose names
// say that they are secret. It is the last line of defence: no code logs these on purpose.
func Filter(next slog.Handler) slog.Handler {
	if already, ok := next.(filter); ok {
		return already
	}
	return filter{next}
}

type filter struct{ next slog.Handler }

// Enabled implements slog.Handler.
func (f filter) Enabled(ctx context.Context, level slog.Level) bool {
	return f.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (f filter) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, Redact(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(redactAttr(a))
		return true
	})
	return f.next.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (f filter) WithAttrs(attrs []slog.Attr) slog.Handler {
	kept := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		kept[i] = redactAttr(a)
	}
	return filter{f.next.WithAttrs(kept)}
}

// WithGroup implements slog.Handler.
func (f filter) WithGroup(name string) slog.Handler { return filter{f.next.WithGroup(name)} }

// removed stands for what was removed.
const removed = "[removed]"

// isSecretName reports whether the values of attributes of a name are never logged.
func isSecretName(name string) bool {
	switch strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name)) {
	case "authorization", "cookie", "setcookie", "code", "state", "token", "accesstoken", "refreshtoken", "idtoken", "assertion", "clientassertion", "secret", "clientsecret", "codeverifier", "nonce", "query", "rawquery":
		return true
	}
	return false
}

// redactAttr returns an attribute without secrets. Error codes are logged under the name "code": a value of lower-case letters and
// underscores stays.
func redactAttr(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindGroup:
		group := v.Group()
		kept := make([]slog.Attr, len(group))
		for i, one := range group {
			kept[i] = redactAttr(one)
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(kept...)}
	case slog.KindString, slog.KindAny:
		text := v.String()
		if isSecretName(a.Key) && !(strings.EqualFold(a.Key, "code") && errorCode.MatchString(text)) {
			return slog.String(a.Key, removed)
		}
		if clean := Redact(text); clean != text {
			return slog.String(a.Key, clean)
		}
	case slog.KindBool, slog.KindDuration, slog.KindFloat64, slog.KindInt64, slog.KindTime, slog.KindUint64, slog.KindLogValuer:
	}
	return slog.Attr{Key: a.Key, Value: v}
}

var (
	errorCode = regexp.MustCompile(`^[a-z_]{1,40}$`)
	ownValue  = regexp.MustCompile(`cr_[a-z]{1,3}_[A-Za-z0-9_-]{20,}`)
	jwt       = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*`)
	scheme    = regexp.MustCompile(`(?i)\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{4,}`)
	parameter = regexp.MustCompile(`(?i)\b(code|state|nonce|client_assertion|client_secret|code_verifier|access_token|refresh_token|id_token|token|launch)=[^&\s"']+`)
)

// Redact returns a text without the secrets that can be known by their form.
func Redact(text string) string {
	if !strings.ContainsAny(text, "_=. ") {
		return text
	}
	text = ownValue.ReplaceAllString(text, removed)
	text = jwt.ReplaceAllString(text, removed)
	text = scheme.ReplaceAllString(text, "$1 "+removed)
	return parameter.ReplaceAllString(text, "$1="+removed)
}
